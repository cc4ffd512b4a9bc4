"""Alerts and incidents as rows: how they begin, and what a verdict changes in them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from serving.alerts.lifecycle import State
from serving.rules.breach import Breach
from serving.severity import Severity
from serving.verdict import Verdict

__all__ = [
    "Row",
    "alert_id",
    "alert_labels",
    "begin_alert",
    "begin_incident",
    "firing",
    "join",
    "tell",
]

Row = dict[str, Any]
MOST_ENTITIES = 1_000


def alert_id(fingerprint: str, start: datetime) -> str:
    """An alert is its fingerprint and the window that opened it: a replay finds the same alert."""
    text = f"{fingerprint}\x1f{start.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def begin_alert(verdict: Verdict) -> Row:
    """The row of an alert that a verdict opens; state and incident are not set yet."""
    return {
        "id": alert_id(verdict.fingerprint, verdict.start),
        "fingerprint": verdict.fingerprint,
        "incident": None,
        "view": verdict.view,
        "entity": verdict.entity,
        "family": verdict.family,
        "severity": "",
        "state": None,
        "start": verdict.start,
        "opened_at": verdict.end,
        "last_seen": verdict.end,
        "fired_at": None,
        "acknowledged_at": None,
        "acknowledged_by": "",
        "snoozed_until": None,
        "resolved_at": None,
        "notified_at": None,
        "windows": 0,
        "risk": 0.0,
        "per_day": None,
        "priority": None,
        "verdict": "",
        "verdict_by": "",
        "suppressed": "",
        "playbook": "",
    }


def tell(alert: Row, verdict: Verdict, seen: Row, now: datetime) -> bool:
    """Write what a verdict says into its alert; whether the alert got worse by it.

    Words and evidence are those of the gravest window so far: what was worst is what matters.
    """
    before = alert["severity"]
    # In the wake of a limit nothing gets worse, whatever else speaks against the entity.
    worse = not before or (verdict.severity > Severity(before) and _breaks(verdict))
    rarest = verdict.rarity.per_day if verdict.rarity else None
    fires = alert["state"] == State.PENDING and not verdict.pending
    gravest = (
        worse
        or fires
        or (
            verdict.severity == before
            and _breaks(verdict)
            and rarest is not None
            and (alert["per_day"] is None or rarest < alert["per_day"])
        )
    )
    alert["last_seen"], alert["updated_at"] = verdict.end, now
    alert["windows"] += 1
    alert["risk"] = max(alert["risk"], verdict.risk)
    alert["playbook"] = verdict.playbook or alert["playbook"]
    if rarest is not None and (alert["per_day"] is None or rarest < alert["per_day"]):
        alert["per_day"] = rarest
    if gravest:
        rarity = verdict.rarity
        alert |= {
            "severity": verdict.severity.value if worse else before,
            "title": verdict.title,
            "why": verdict.why,
            "first_step": verdict.first_step,
            "model_version": seen.get("score", {}).get("model", ""),
            "arms": verdict.arms,
            "breaches": [_breach(breach) for breach in verdict.breaches],
            "reasons": rarity.reasons if rarity else [],
            "labels": verdict.labels,
            "evidence": {
                "window": {},
                **seen,
                "exact": verdict.exact,
                "counterfactual": rarity.counterfactual if rarity else "",
            },
        }
    return bool(before) and worse


def begin_incident(group: str, alert: Row, at: datetime, now: datetime) -> Row:
    """The row of an incident that an alert opens."""
    text = f"{group}\x1f{alert['id']}"
    return {
        "id": hashlib.sha256(text.encode()).hexdigest()[:32],
        "group": group,
        "title": alert["title"],
        "severity": alert["severity"],
        "state": "open",
        "owner": "",
        "playbook": "",
        "opened_at": at,
        "resolved_at": None,
        "updated_at": now,
        "told": "",
        "entities": [],
        "fields": {},
    }


def join(incident: Row, alert: Row, now: datetime) -> None:
    """Write into an incident what an alert of it adds."""
    alert["incident"] = incident["id"]
    incident["updated_at"] = now
    if alert["entity"] not in incident["entities"]:
        incident["entities"] = [*incident["entities"], alert["entity"]][:MOST_ENTITIES]
    if Severity(alert["severity"]) > Severity(incident["severity"]):
        incident["severity"], incident["title"] = alert["severity"], alert["title"]


def alert_labels(alert: Row) -> Row:
    """What matchers see of an alert: its labels, severity and id."""
    labels: Row = {**alert["labels"], "id": alert["id"], "severity": Severity(alert["severity"])}
    return labels


def firing(alert: Row) -> bool:
    """Whether an alert is open and past its hold-down."""
    return alert["state"] in (State.FIRING, State.ACKNOWLEDGED)


def _breaks(verdict: Verdict) -> bool:
    """Whether the window itself breaks a limit: in the wake of one, words would contradict it."""
    told = verdict.breaches
    return not told or any(one.broken for one in told)


def _breach(breach: Breach) -> Row:
    fields = dict(breach.__dict__)
    for name in ("start", "end", "since"):
        fields[name] = fields[name].isoformat()
    return fields
