"""What a channel is asked to tell: enough to act on at three in the morning."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from pipeline.database import upsert
from serving.store.tables import outbox

__all__ = ["Action", "Notice", "enqueue"]

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
            "created_at": now,
            "due_at": notice.due_at,
        }
        for notice in notices
    ]
    everything = [column.name for column in outbox.columns]
    # In one order, so that two processes that tell the same wait for each other only one way.
    by_key = {str(row["id"]): row for row in rows}
    upsert(connection, outbox, [row for _, row in sorted(by_key.items())], keep=everything)
