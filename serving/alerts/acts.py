"""What people do to alerts and incidents; each change is in the audit chain with its person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from pipeline.database import upsert
from serving.alerts.lifecycle import AlertError, Event, State, after
from serving.alerts.record import Row
from serving.alerts.telling import ended, told
from serving.alerts.triage import evidence_of, learn
from serving.notify.notice import enqueue
from serving.store.audit import record
from serving.store.tables import alert_notes, alerts, changes, incidents, outbox

__all__ = ["FIELDS", "VERDICTS", "Act", "act", "close_incident", "document"]

Act = Literal["acknowledge", "unacknowledge", "resolve", "snooze", "note", "verdict"]
VERDICTS = ("real", "noise", "wrong_team")
FIELDS = ("timeline", "metrics", "action_taken", "resolution")
"""What an incident with a playbook must document before it is closed (PF-DOC1 to 4)."""


def act(
    connection: sa.Connection,
    ids: Sequence[str],
    what: Act,
    *,
    who: str,
    now: datetime,
    detail: dict[str, Any] | None = None,
) -> list[Row]:
    """Do one thing to several alerts, all or none.

    Parameters
    ----------
    what : str
        ``snooze`` takes ``until`` (datetime) in detail, ``verdict`` takes ``verdict`` (one of
        `VERDICTS`), ``note`` takes ``text``.

    Returns
    -------
    list of dict
        The alerts as they are now.

    Raises
    ------
    AlertError
        An alert does not exist, or cannot be told this in its state; nothing is changed then.
    """
    given = dict(detail or {})
    # In the order in which a step of the stream locks them: alerts by their beginning, incidents.
    in_order = sa.select(alerts).order_by(alerts.c.opened_at, alerts.c.id)
    wanted = in_order.where(alerts.c.id.in_(ids)).with_for_update()
    rows = {row["id"]: dict(row) for row in connection.execute(wanted).mappings()}
    if missing := [name for name in ids if name not in rows]:
        raise AlertError(f"no alert {missing[0]}")
    for alert in rows.values():
        _change(alert, what, given, who, now)
        alert["updated_at"] = now
    said = {**given, **({"until": given["until"].isoformat()} if "until" in given else {})}
    upsert(connection, alerts, list(rows.values()))
    for alert in rows.values():
        note = {"alert": alert["id"], "incident": alert["incident"], "at": now, "who": who}
        connection.execute(alert_notes.insert().values(**note, what=what, detail=said))
        shown = {"id": alert["id"], "state": alert["state"], "incident": alert["incident"]}
        connection.execute(
            changes.insert().values(at=now, kind="alert", subject=alert["id"], fields=shown)
        )
        known = {"evidence": evidence_of(alert)} if what == "verdict" else {}
        detail = said | known
        record(
            connection, who=who, what=f"alert.{what}", subject=alert["id"], detail=detail, now=now
        )
    if what == "verdict":
        learn(connection)
    if what in ("acknowledge", "resolve"):
        for incident in sorted({row["incident"] for row in rows.values() if row["incident"]}):
            _tell_if_nobody_is_needed(connection, incident, who, now)
    return [rows[name] for name in ids]


def document(
    connection: sa.Connection, incident: str, fields: dict[str, str], *, who: str, now: datetime
) -> Row:
    """Write documentation fields of an incident, or its owner.

    Raises
    ------
    AlertError
        There is no such incident.
    """
    row = _incident(connection, incident)
    given = dict(fields)
    row["owner"] = given.pop("owner", row["owner"])
    row["fields"] = {**row["fields"], **given}
    row["updated_at"] = now
    upsert(connection, incidents, [row])
    record(connection, who=who, what="incident.document", subject=incident, detail=fields, now=now)
    return row


def close_incident(connection: sa.Connection, incident: str, *, who: str, now: datetime) -> Row:
    """Resolve an incident and what still fires in it; it takes no new alerts then.

    Raises
    ------
    AlertError
        There is none, it is closed, or it has a playbook and a documentation field is empty.
    """
    left = sa.select(alerts.c.id).where(
        alerts.c.incident == incident, alerts.c.state != State.RESOLVED
    )
    in_order = left.order_by(alerts.c.opened_at, alerts.c.id).with_for_update()
    ids = list(connection.execute(in_order).scalars())
    row = _incident(connection, incident)
    if row["state"] != "open":
        raise AlertError(f"incident {incident} is {row['state']}")
    empty = [name for name in FIELDS if not row["fields"].get(name)]
    if row["playbook"] and empty:
        raise AlertError(f"incident {incident} cannot be closed: {', '.join(empty)} is empty")
    if ids:
        act(connection, ids, "resolve", who=who, now=now)
    row |= {"state": "resolved", "resolved_at": now, "updated_at": now}
    upsert(connection, incidents, [row])
    cancel = (outbox.c.incident == incident, outbox.c.state == "pending")
    connection.execute(
        outbox.update().where(*cancel, outbox.c.action == "trigger").values(state="cancelled")
    )
    why = f"resolved by {who}"
    enqueue(connection, ended(row, told(connection, incident), "resolve", why, now=now), now=now)
    shown = {"id": incident, "state": "resolved", "severity": row["severity"]}
    connection.execute(
        changes.insert().values(at=now, kind="incident", subject=incident, fields=shown)
    )
    record(connection, who=who, what="incident.resolve", subject=incident, detail={}, now=now)
    return row


def _change(alert: Row, what: Act, given: dict[str, Any], who: str, now: datetime) -> None:
    if what == "snooze":
        if alert["state"] == State.RESOLVED or given["until"] <= now:
            raise AlertError(f"alert {alert['id']} is {alert['state']}: expected an open alert")
        alert["snoozed_until"] = given["until"]
    elif what == "verdict":
        if given.get("verdict") not in VERDICTS:
            raise AlertError(f"verdict is {given.get('verdict')!r}; expected one of {VERDICTS}")
        alert["verdict"], alert["verdict_by"] = given["verdict"], who
    elif what != "note":
        alert["state"] = after(alert["state"], Event(what))
        acknowledged = alert["state"] == State.ACKNOWLEDGED
        alert["acknowledged_at"] = now if acknowledged else None
        alert["acknowledged_by"] = who if acknowledged else ""
        if alert["state"] == State.RESOLVED:
            alert["resolved_at"] = now


def _incident(connection: sa.Connection, incident: str) -> Row:
    wanted = sa.select(incidents).where(incidents.c.id == incident).with_for_update()
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise AlertError(f"no incident {incident}")
    return dict(row)


def _tell_if_nobody_is_needed(
    connection: sa.Connection, incident: str, who: str, now: datetime
) -> None:
    """When nothing of an incident waits for a person any more, its channels are told so."""
    waiting = sa.select(alerts.c.id).where(
        alerts.c.incident == incident, alerts.c.state.in_([State.FIRING, State.PENDING])
    )
    if connection.execute(waiting.limit(1)).first() is None:
        row = _incident(connection, incident)
        why = f"acknowledged by {who}"
        over = ended(row, told(connection, incident), "acknowledge", why, now=now)
        enqueue(connection, over, now=now)
