"""The messages of an alert: one for each channel of its route, each wave at its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pipeline.scoring.words import how_rare
from serving.alerts.record import Row, alert_labels
from serving.alerts.routes import Route, route_for, waves
from serving.notify.notice import Action, Notice
from serving.severity import Severity
from serving.store.tables import outbox

__all__ = ["ended", "notices", "told"]


def notices(
    routes: Sequence[Route], incident: Row, alert: Row, *, now: datetime, again: int = 0
) -> list[Notice]:
    """What is to be told of an incident because of an alert.

    Parameters
    ----------
    again : int
        How often it was told before without an answer.
    """
    severity = Severity(alert["severity"])
    route = route_for(routes, alert_labels(alert), severity)
    if route is None:
        return []
    repeat = f":again{again}" if again else ""
    return [
        Notice(
            dedup_key=f"{incident['id']}:{severity}:{due.channel}:trigger{repeat}",
            channel=due.channel,
            route=due.route,
            action="trigger",
            incident=incident["id"],
            alert=alert["id"],
            severity=severity.value,
            title=alert["title"],
            why=alert["why"],
            first_step=alert["first_step"],
            since=alert["opened_at"],
            arms=list(alert["arms"]),
            rarity=how_rare(alert["per_day"]) if alert["per_day"] else "",
            due_at=now + due.after,
            unless_acknowledged=due.unless_acknowledged,
            detail=_detail(incident, alert, again),
        )
        for due in waves(route)
    ]


def ended(
    incident: Row, channels: Sequence[str], action: Action, why: str, *, now: datetime
) -> list[Notice]:
    """Tell every channel that was told of an incident that somebody has it, or that it is over."""
    return [
        Notice(
            dedup_key=f"{incident['id']}:{channel}:{action}:{incident['told']}",
            channel=channel,
            action=action,
            incident=incident["id"],
            severity=incident["severity"],
            title=incident["title"],
            why=why,
            since=incident["opened_at"],
            due_at=now,
        )
        for channel in channels
    ]


def told(connection: sa.Connection, incident: str) -> list[str]:
    """Channels that were told of an incident, or may have been: an attempt may have arrived."""
    asked = sa.select(outbox.c.channel).where(
        outbox.c.incident == incident,
        outbox.c.action == "trigger",
        sa.or_(outbox.c.state == "sent", outbox.c.attempts > 0),
    )
    return sorted(set(connection.execute(asked).scalars()))


def _detail(incident: Row, alert: Row, again: int) -> dict[str, Any]:
    return {
        "entity": alert["entity"],
        "entities": incident["entities"],
        "risk": round(alert["risk"]),
        "labels": alert["labels"],
        "playbook": alert["playbook"],
        "again": again,
    }
