"""`POST /v1/alertmanager`: alerts of Prometheus become alerts here, by the same ledger.

Source: Prometheus Alertmanager, webhook receiver, version 4.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from serving.api.shared import At, House, Store, Time
from serving.auth import Operator
from serving.severity import Severity
from serving.verdict import RiskNow, Verdict, fingerprint

__all__ = ["router"]

router = APIRouter(prefix="/v1/alertmanager", tags=["alerts"])

VIEW = "alertmanager"
WHERE = ("instance", "host", "pod", "service", "job")
Words = dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=4_000)]]
NEVER = 2000
"""Alertmanager writes year 1 where an alert has not ended."""


class Alert(BaseModel):
    """One alert of the webhook."""

    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: Words = Field(min_length=1)
    annotations: Words = {}
    startsAt: Time  # noqa: N815
    fingerprint: str = Field(default="", max_length=64)
    generatorURL: str = Field(default="", max_length=4_000)  # noqa: N815


class Webhook(BaseModel):
    """What Alertmanager posts, version 4; what is not used here is ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "version": "4",
                    "alerts": [
                        {
                            "status": "firing",
                            "labels": {
                                "alertname": "HighLatency",
                                "severity": "critical",
                                "instance": "api-1",
                            },
                            "annotations": {"summary": "p99 is 2.1 s"},
                            "startsAt": "2026-01-31T12:00:00Z",
                        }
                    ],
                }
            ]
        },
    )

    version: Literal["4"]
    alerts: list[Alert] = Field(max_length=5_000)


class Taken(BaseModel):
    """How many alerts fire and how many are over."""

    firing: int
    resolved: int


@router.post("")
def take_webhook(given: Webhook, house: House, store: Store, who: Operator, now: At) -> Taken:
    """Take alerts of an Alertmanager; the same alert again changes nothing but its time."""
    firing = [_verdict(one, now) for one in given.alerts if one.status == "firing"]
    over = [_verdict(one, now) for one in given.alerts if one.status == "resolved"]
    with store.begin() as connection:
        ledger = house.ledger(connection, _group, now=now)
        ledger.apply(firing, {})
        for verdict in over:
            ledger.end(verdict.fingerprint, at=now, who=VIEW)
        ledger.write()
    return Taken(firing=len(firing), resolved=len(over))


def _verdict(alert: Alert, now: datetime) -> Verdict:
    labels = alert.labels
    family = labels.get("alertname", "unnamed")
    entity = next((labels[name] for name in WHERE if labels.get(name)), family)
    # What has the same labels is the same alert there; here too.
    same = fingerprint(VIEW, entity, "\x1f".join(f"{k}={v}" for k, v in sorted(labels.items())))
    start = alert.startsAt if alert.startsAt.year >= NEVER else now
    summary = alert.annotations.get("summary") or alert.annotations.get("description") or family
    runbook = alert.annotations.get("runbook_url") or alert.annotations.get("runbook", "")
    return Verdict(
        fingerprint=same,
        view=VIEW,
        entity=entity,
        start=min(start, now),
        end=now,
        family=family,
        severity=_severity(labels.get("severity", "")),
        pending=False,
        exact=True,
        risk=RiskNow().value,
        arms={f"alertmanager:{family}": 1.0},
        breaches=(),
        rarity=None,
        title=f"{family}: {entity}",
        why=summary,
        first_step=runbook or f"Look at {alert.generatorURL}" if alert.generatorURL else runbook,
        playbook="",
        labels={**labels, "view": VIEW, "stream": VIEW, "entity": entity, "family": family},
    )


def _severity(word: str) -> Severity:
    try:
        return Severity.of(word)
    except ValueError:
        return Severity.MEDIUM


def _group(verdict: Verdict) -> str:
    return f"{verdict.labels.get('team', VIEW)}:{verdict.entity}"
