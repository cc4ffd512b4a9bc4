"""What a channel is asked to tell: enough to act on at three in the morning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from pipeline.database import upsert
from serving.store.tables import outbox

__all__ = ["TOLD_ALREADY", "Action", "Notice", "enqueue"]

TOLD_ALREADY = "told already in this incident"
"""Why a message of a topic is not sent: a campaign has a run for each account, and says it once."""

AGAIN = timedelta(minutes=15)
# The same topic is told again after this long, where it comes up again.

Action = Literal["trigger", "acknowledge", "resolve", "notice"]


@dataclass(frozen=True)
class Notice:
    """One message for one channel.

    Parameters
    ----------
    dedup_key : str
        The same key is the same message: it is kept, and sent, once. At most 255 characters.
    channel, route : str
        Where to, and by which route.
    action : {"trigger", "acknowledge", "resolve", "notice"}
        ``notice`` is a message of a playbook to an audience.
    incident, alert : str
        Ids; an incident is what channels keep as one thing.
    severity, title, why, first_step : str
        What, how bad, why, and the first step.
    since : datetime
        When it began, aware UTC.
    arms : list of str
        Which arms fired.
    rarity : str
        How rare, in words; empty where nothing was learned.
    due_at : datetime
        Not sent before.
    unless_acknowledged : bool
        Not sent when the incident is acknowledged by then.
    topic : str
        Messages of one incident and topic on one channel are sent once a quarter of an hour; the
        others are kept, cancelled, and name the one that was. Empty for what is sent in any case.
    detail : dict
        JSON-able particulars a channel may add, such as an audience or a template.
    """

    dedup_key: str
    channel: str
    action: Action
    severity: str
    title: str
    why: str
    since: datetime
    due_at: datetime
    incident: str = ""
    alert: str = ""
    route: str = ""
    first_step: str = ""
    arms: list[str] = field(default_factory=list)
    rarity: str = ""
    unless_acknowledged: bool = False
    topic: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def payload(self) -> dict[str, Any]:
        """The message as JSON values."""
        fields = dict(self.__dict__)
        for name in ("since", "due_at"):
            fields[name] = fields[name].isoformat()
        return fields

    @classmethod
    def of(cls, payload: dict[str, Any]) -> Notice:
        """The message that `payload` wrote."""
        times = {name: datetime.fromisoformat(payload[name]) for name in ("since", "due_at")}
        return cls(**{**payload, **times})


def enqueue(connection: sa.Connection, notices: Sequence[Notice], *, now: datetime) -> None:
    """Put messages into the outbox, in the caller's transaction; a key that is there stays."""
    rows = [
        {
            "id": hashlib.sha256(notice.dedup_key.encode()).hexdigest()[:32],
            "dedup_key": notice.dedup_key,
            "alert": notice.alert or None,
            "incident": notice.incident or None,
            "route": notice.route,
            "channel": notice.channel,
            "action": notice.action,
            "payload": notice.payload(),
            "state": "pending",
            "error": "",
            "created_at": now,
            "due_at": notice.due_at,
        }
        for notice in notices
    ]
    for notice, row in zip(notices, rows, strict=True):
        if first := _told(connection, notice, now):
            detail = {**notice.detail, "told_with": first}
            row["payload"] = {**notice.payload(), "detail": detail}
            row |= {"state": "cancelled", "error": TOLD_ALREADY}
    everything = [column.name for column in outbox.columns]
    # In one order, so that two processes that tell the same wait for each other only one way.
    by_key = {str(row["id"]): row for row in rows}
    upsert(connection, outbox, [row for _, row in sorted(by_key.items())], keep=everything)


def _told(connection: sa.Connection, notice: Notice, now: datetime) -> str:
    """Id of the message that told the topic a little before; empty where none did."""
    if not notice.topic:
        return ""
    same = sa.select(outbox.c.id).where(
        outbox.c.incident == notice.incident,
        outbox.c.channel == notice.channel,
        outbox.c.state.in_(("pending", "sent")),
        outbox.c.created_at > now - AGAIN,
        outbox.c.payload["topic"].as_string() == notice.topic,
    )
    return connection.execute(same.limit(1)).scalar() or ""
