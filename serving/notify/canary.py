"""A message marked as a test, so that a channel is known to work before it is needed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from serving.notify.channel import Channel, Delivery
from serving.notify.notice import Notice
from serving.store.audit import record

__all__ = ["canary"]


def canary(engine: sa.Engine, channel: Channel, *, who: str, now: datetime) -> Delivery:
    """Send a test by one channel now, past the outbox, and put it on record who asked.

    On the status page nothing is published: only page and key are looked at.
    """
    notice = Notice(
        dedup_key=f"test:{channel.name}:{now.isoformat()}",
        channel=channel.name,
        action="notice",
        severity="info",
        title=f"test of the channel {channel.name}",
        why=f"{who} asked for it, to see whether messages arrive",
        first_step="None: go on with what you were doing.",
        since=now,
        due_at=now,
        detail={"test": True},
    )
    delivery = channel.send(notice)
    with engine.begin() as connection:
        record(
            connection,
            who=who,
            what="channel.test",
            subject=channel.name,
            detail={"outcome": delivery.outcome, "detail": delivery.detail},
            now=now,
        )
    return delivery
