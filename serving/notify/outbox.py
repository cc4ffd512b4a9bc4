"""The outbox: what is to be told is a row first, so that nothing is lost and little told twice.

A row is claimed for a while, sent, and its outcome written. A process that dies in between
leaves a claim that runs out, and the next one sends again under the same dedup key: at least
once, and once only where the channel heeds the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.alerts.lifecycle import State
from serving.notify.channel import Channel, Delivery
from serving.notify.notice import Notice, enqueue
from serving.store.tables import alerts, outbox

__all__ = ["Outbox", "Sent", "backoff"]

LEASE = timedelta(seconds=60)
MOST_AT_ONCE = 50
WORKERS = 8
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
# With waits of up to five minutes, so many attempts take about an hour.
MOST_ATTEMPTS = 18

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Sent:
    """What one tick did: how many messages were sent, wait, are dead, or were needless."""

    sent: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0

    def __bool__(self) -> bool:
        return bool(self.sent or self.retried or self.dead or self.cancelled)


def backoff(key: str, attempt: int, retry_after: float | None) -> timedelta:
    """How long to wait before the next attempt: doubling, with jitter, at least what was asked.

    The jitter comes from the key, so that a replay waits as long, and many do not wait alike.
    """
    longest = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT)
    digest = hashlib.sha256(f"{key}:{attempt}".encode()).digest()
    wait = longest * (0.5 + int.from_bytes(digest[:4]) / 2**33)
    return timedelta(seconds=max(wait, retry_after or 0.0))


class Outbox:
    """Sends what is due; several processes may do so at once.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    channels : iterable of Channel
        A notice for a channel that is not here is dead at once, and told so.
    who : str
        Name of this process, for claims.
    fallback : sequence of str
        Channels that are told when another one is given up.
    """

    def __init__(
        self,
        engine: sa.Engine,
        channels: Iterable[Channel],
        *,
        who: str,
        fallback: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self.channels = {channel.name: channel for channel in channels}
        self._who = who
        self._fallback = tuple(fallback)

    def tick(self, *, now: datetime) -> Sent:
        """Claim what is due, send it, write what became of it."""
        claimed = self._claim(now)
        done = Sent()
        if not claimed:
            return done
        with ThreadPoolExecutor(WORKERS) as pool:
            for row, delivery in zip(claimed, pool.map(self._send, claimed), strict=True):
                done = self._settle(row, delivery, done, now)
        return done

    def _claim(self, now: datetime) -> list[Row]:
        due = (
            sa.select(outbox)
            .where(
                outbox.c.state == "pending",
                outbox.c.due_at <= now,
                sa.or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now),
            )
            .order_by(outbox.c.due_at, outbox.c.id)
            .limit(MOST_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            rows = [dict(row) for row in connection.execute(due).mappings()]
            needless = [row["id"] for row in rows if self._needless(connection, row)]
            self._set(connection, needless, state="cancelled", error="somebody has it")
            wanted: list[Row] = [row for row in rows if row["id"] not in needless]
            self._set(
                connection,
                [row["id"] for row in wanted],
                leased_until=now + LEASE,
                leased_by=self._who,
                attempts=outbox.c.attempts + 1,
            )
        return wanted

    @staticmethod
    def _set(connection: sa.Connection, ids: Sequence[str], **values: Any) -> None:
        if ids:
            connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(**values))

    @staticmethod
    def _needless(connection: sa.Connection, row: Row) -> bool:
        """Whether nobody waits for this message any more."""
        if row["action"] != "trigger" or not row["incident"]:
            return False
        states = [State.FIRING] if row["payload"]["unless_acknowledged"] else _OPEN
        waiting = sa.select(alerts.c.id).where(
            alerts.c.incident == row["incident"], alerts.c.state.in_(states)
        )
        return connection.execute(waiting.limit(1)).first() is None

    def _send(self, row: Row) -> Delivery:
        channel = self.channels.get(row["channel"])
        if channel is None:
            return Delivery("refused", "no such channel is configured")
        if row["action"] not in channel.actions:
            return Delivery("sent", "this channel has no such message")
        try:
            return channel.send(Notice.of(row["payload"]))
        except Exception as error:  # a channel with a fault must not stop the others
            return Delivery("retry", f"{type(error).__name__} in the channel")

    def _settle(self, row: Row, delivery: Delivery, done: Sent, now: datetime) -> Sent:
        attempts = row["attempts"] + 1
        values: dict[str, Any] = {"leased_until": None, "leased_by": "", "error": delivery.detail}
        if delivery.outcome == "sent":
            values |= {"state": "sent", "sent_at": now}
            done = replace(done, sent=done.sent + 1)
        elif delivery.outcome == "refused" or attempts >= MOST_ATTEMPTS:
            values |= {"state": "dead"}
            done = replace(done, dead=done.dead + 1)
        else:
            wait = backoff(row["dedup_key"], attempts, delivery.retry_after)
            values |= {"due_at": now + wait}
            done = replace(done, retried=done.retried + 1)
        with self._engine.begin() as connection:
            # Only who holds the claim writes: after it ran out, another process may have it.
            mine = (outbox.c.id == row["id"], outbox.c.leased_by == self._who)
            connection.execute(outbox.update().where(*mine).values(**values))
            if values.get("state") == "dead" and row["action"] == "trigger":
                enqueue(connection, self._instead(row, delivery, now), now=now)
        return done

    def _instead(self, row: Row, delivery: Delivery, now: datetime) -> list[Notice]:
        """The same message to the fallback channels, with what went wrong."""
        notice = Notice.of(row["payload"])
        return [
            replace(
                notice,
                dedup_key=f"{notice.dedup_key}:instead:{channel}"[:255],
                channel=channel,
                due_at=now,
                unless_acknowledged=True,
                detail={**notice.detail, "instead_of": f"{row['channel']}: {delivery.detail}"},
            )
            for channel in self._fallback
            if channel != row["channel"] and ":instead:" not in row["dedup_key"]
        ]


_OPEN = [State.FIRING, State.ACKNOWLEDGED]
