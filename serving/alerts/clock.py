"""What time alone does: incidents close, snoozes end, the unanswered is told again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from pipeline.database import upsert
from serving.alerts.ledger import QUIET, REOPEN
from serving.alerts.lifecycle import OPEN, State
from serving.alerts.muting import active_silences, muted
from serving.alerts.record import Row, alert_labels
from serving.alerts.routes import Route, route_for
from serving.alerts.telling import ended, notices, told
from serving.alerts.triage import rank
from serving.notify.notice import Notice, enqueue
from serving.severity import Severity
from serving.store.tables import alert_notes, alerts, changes, incidents, outbox, silences

__all__ = ["KEPT", "WARNING", "tick"]

KEPT = timedelta(days=1)
"""A page that was away for longer reads everything anew: so long are changes kept."""

WARNING = timedelta(minutes=15)
"""So long before a silence ends, its maker is told."""


def tick(connection: sa.Connection, routes: Sequence[Route], *, now: datetime) -> None:
    """Bring alerts, incidents and silences to ``now``; safe to call at any time, by anyone."""
    _close_quiet(connection, now)
    _tell_again(connection, routes, now)
    _warn_of_silences(connection, now)
    rank(connection)
    connection.execute(changes.delete().where(changes.c.at < now - KEPT))


def _close_quiet(connection: sa.Connection, now: datetime) -> None:
    """Close open incidents without a playbook of which every alert was over for ten minutes."""
    lively = sa.select(alerts.c.incident).where(
        alerts.c.incident.is_not(None),
        sa.or_(alerts.c.state.in_(OPEN), alerts.c.updated_at > now - max(QUIET, REOPEN)),
    )
    over = sa.select(incidents).where(
        incidents.c.state == "open",
        incidents.c.playbook == "",
        incidents.c.updated_at <= now - REOPEN,
        incidents.c.id.not_in(lively),
    )
    for row in connection.execute(over.with_for_update()).mappings().all():
        incident = {**row, "state": "resolved", "resolved_at": now, "updated_at": now}
        upsert(connection, incidents, [incident])
        connection.execute(
            outbox.update()
            .where(outbox.c.incident == row["id"], outbox.c.state == "pending")
            .values(state="cancelled")
        )
        channels = told(connection, row["id"])
        over_notices = ended(incident, channels, "resolve", "over for ten minutes", now=now)
        enqueue(connection, over_notices, now=now)
        shown = {"id": row["id"], "state": "resolved", "severity": row["severity"]}
        connection.execute(
            changes.insert().values(at=now, kind="incident", subject=row["id"], fields=shown)
        )


def _tell_again(connection: sa.Connection, routes: Sequence[Route], now: datetime) -> None:
    """Tell an incident again that nobody has acknowledged, at its route's interval."""
    waiting = sa.select(alerts).where(
        alerts.c.state == State.FIRING, alerts.c.notified_at.is_not(None)
    )
    silenced = active_silences(connection, now)
    for row in connection.execute(waiting.with_for_update()).mappings().all():
        alert = dict(row)
        route = route_for(routes, alert_labels(alert), Severity(alert["severity"]))
        if route is None or route.again is None or _asleep(alert, now):
            continue
        if muted(alert_labels(alert), silenced=silenced, inhibitions=(), firing=()):
            continue
        times = int((now - alert["fired_at"]) / route.again) if alert["fired_at"] else 0
        if times < 1 or now - alert["notified_at"] < route.again:
            continue
        wanted = sa.select(incidents).where(incidents.c.id == alert["incident"])
        incident = dict(connection.execute(wanted).mappings().one())
        found: list[Notice] = notices(routes, incident, alert, now=now, again=times)
        enqueue(connection, found, now=now)
        alert["notified_at"] = now
        upsert(connection, alerts, [alert])
        _note(connection, alert, "told again", "nobody has acknowledged it", now)


def _asleep(alert: Row, now: datetime) -> bool:
    return alert["snoozed_until"] is not None and alert["snoozed_until"] > now


def _warn_of_silences(connection: sa.Connection, now: datetime) -> None:
    ending = sa.select(silences).where(
        silences.c.ends_at <= now + WARNING,
        silences.c.ends_at > now,
        silences.c.warned_at.is_(None),
    )
    for row in connection.execute(ending).mappings().all():
        notice = Notice(
            dedup_key=f"silence:{row['id']}:ends",
            channel="dashboard",
            action="notice",
            severity=Severity.INFO.value,
            title=f"{row['kind']} {row['id']} ends at {row['ends_at']:%H:%M UTC}",
            why=row["comment"] or "no comment was given",
            since=row["starts_at"],
            due_at=now,
            detail={"audience": row["created_by"]},
        )
        enqueue(connection, [notice], now=now)
        connection.execute(
            silences.update().where(silences.c.id == row["id"]).values(warned_at=now)
        )


def _note(connection: sa.Connection, alert: Row, what: str, why: str, now: datetime) -> None:
    connection.execute(
        alert_notes.insert().values(
            alert=alert["id"],
            incident=alert["incident"],
            at=now,
            who="tocsin",
            what=what,
            detail={"why": why},
        )
    )
