"""The outbox: what is to be told is a row first, so that nothing is lost and little told twice.

A row is claimed for a while, sent, and its outcome written. A process that dies in between
leaves a claim that runs out, and the next one sends again under the same dedup key: at least
once, and once only where the channel heeds the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Event
from typing import Any

import sqlalchemy as sa

from pipeline.database import reading
from serving.alerts.lifecycle import OPEN, State
from serving.alerts.muting import Silence, active_silences, muted
from serving.alerts.record import alert_labels
from serving.notify.channel import Channel, Delivery
from serving.notify.notice import Notice, enqueue
from serving.store.tables import alerts, outbox

__all__ = ["Outbox", "Sent", "backoff"]

LEASE = timedelta(seconds=60)
# What is claimed is sent at once: a claim that waits for a thread would outlive an acknowledgement.
WORKERS = 16
# Of one channel, so that one that hangs leaves threads to the others.
MOST_OF_ONE = 4
FIRST_WAIT, LONGEST_WAIT = 2.0, 300.0
# With waits of up to five minutes, so many attempts take about an hour.
MOST_ATTEMPTS = 18
# After about half a minute the fallback is told too, while the channel is tried on.
PATIENCE = 4

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
        Channels that are told when another one is down.
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

    def run(
        self,
        stop: Event,
        clock: Callable[[], datetime],
        *,
        every: float = 1.0,
        report: Callable[[str], None] = print,
    ) -> None:
        """Send until told to stop; what the database cannot take now is due again later.

        Parameters
        ----------
        every : float
            Seconds between looks where nothing is due.
        """
        while not stop.is_set():
            try:
                done = self.tick(now=clock())
            except Exception as error:
                report(f"outbox: {type(error).__name__}")
                done = Sent()
            if not done:
                stop.wait(every)

    def tick(self, *, now: datetime) -> Sent:
        """Claim what is due, send it, write what became of it."""
        with reading(self._engine) as connection:
            # Most looks find nothing, and wait for no writer.
            if connection.execute(self._due(now).limit(1)).first() is None:
                return Sent()
        claimed, done = self._claim(now)
        if not claimed:
            return done
        fault: Exception | None = None
        with ThreadPoolExecutor(WORKERS) as pool:
            sending = {pool.submit(self._send, row): row for row in claimed}
            for ended in as_completed(sending):
                try:
                    done = self._settle(sending[ended], ended.result(), done, now)
                except sa.exc.SQLAlchemyError as error:
                    # Its claim runs out; what the others became is written all the same.
                    fault = error
        if fault is not None:
            raise fault
        return done

    @staticmethod
    def _due(now: datetime) -> sa.Select[Any]:
        free = sa.or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now)
        # That somebody has it, or that it is over, is not told while an alarm is under way.
        before = outbox.alias("before")
        under_way = sa.or_(
            before.c.leased_until > now,
            sa.and_(
                before.c.state == "pending",
                sa.or_(before.c.attempts > 0, before.c.due_at <= now),
            ),
        )
        earlier = sa.or_(
            before.c.action == "trigger",
            sa.and_(before.c.action == "acknowledge", outbox.c.action == "resolve"),
        )
        blocked = sa.exists().where(
            outbox.c.action.in_(("acknowledge", "resolve")),
            before.c.incident == outbox.c.incident,
            before.c.channel == outbox.c.channel,
            before.c.created_at <= outbox.c.created_at,
            earlier,
            under_way,
        )
        return sa.select(outbox).where(
            outbox.c.state == "pending", outbox.c.due_at <= now, free, ~blocked
        )

    def _claim(self, now: datetime) -> tuple[list[Row], Sent]:
        oldest = (outbox.c.due_at, outbox.c.id)
        place = sa.func.row_number().over(partition_by=outbox.c.channel, order_by=oldest)
        placed = self._due(now).with_only_columns(outbox.c.id, place.label("place")).subquery()
        chosen = sa.select(placed.c.id).where(placed.c.place <= MOST_OF_ONE)
        due = (
            self._due(now)
            .where(outbox.c.id.in_(chosen))
            .order_by(*oldest)
            .limit(WORKERS)
            .with_for_update(skip_locked=True, of=outbox)
        )
        wanted: list[Row] = []
        needless = 0
        with self._engine.begin() as connection:
            rows = [dict(row) for row in connection.execute(due).mappings()]
            silenced = active_silences(connection, now)
            for row in rows:
                if reason := self._needless(connection, row, silenced, now):
                    self._set(connection, row, state="cancelled", error=reason)
                    needless += 1
                else:
                    claim = {"leased_until": now + LEASE, "leased_by": self._who}
                    self._set(connection, row, attempts=outbox.c.attempts + 1, **claim)
                    wanted.append(row)
        return wanted, Sent(cancelled=needless)

    @staticmethod
    def _set(connection: sa.Connection, row: Row, **values: Any) -> None:
        connection.execute(outbox.update().where(outbox.c.id == row["id"]).values(**values))

    def _needless(
        self, connection: sa.Connection, row: Row, silenced: Sequence[Silence], now: datetime
    ) -> str:
        """Why nobody waits for this message any more; empty when somebody does."""
        channel, action = self.channels.get(row["channel"]), row["action"]
        if channel is not None and action not in channel.actions:
            return "this channel has no such message"
        if channel is None and action in ("acknowledge", "resolve"):
            return "no such channel is configured"
        if action != "trigger" or not row["incident"]:
            return ""
        wanted = sa.select(alerts).where(
            alerts.c.incident == row["incident"], alerts.c.state.in_(OPEN)
        )
        waiting = [dict(alert) for alert in connection.execute(wanted).mappings()]
        if not waiting:
            return "over by then"
        if not row["payload"]["unless_acknowledged"]:
            return ""
        if self._told_anew(connection, row):
            return "told anew since"
        waiting = [alert for alert in waiting if alert["state"] == State.FIRING]
        if not waiting:
            return "acknowledged by then"
        waiting = [one for one in waiting if not (one["snoozed_until"] or now) > now]
        if not waiting:
            return "snoozed by then"
        reasons = [
            muted(alert_labels(alert), silenced=silenced, inhibitions=(), firing=())
            for alert in waiting
        ]
        return reasons[0] if all(reasons) else ""

    @staticmethod
    def _told_anew(connection: sa.Connection, row: Row) -> bool:
        """Whether a newer message of the same channel says that it got worse, or the same again.

        Somebody may have answered this one, and must not be woken by it when it got worse.
        """
        newer = sa.select(outbox.c.id).where(
            outbox.c.incident == row["incident"],
            outbox.c.channel == row["channel"],
            outbox.c.action == "trigger",
            outbox.c.created_at > row["created_at"],
            outbox.c.state.in_(("pending", "sent")),
            outbox.c.dedup_key.not_like("%:instead:%"),
        )
        return connection.execute(newer.limit(1)).first() is not None

    def _send(self, row: Row) -> Delivery:
        channel = self.channels.get(row["channel"])
        if channel is None:
            return Delivery("refused", "no such channel is configured")
        try:
            return channel.send(Notice.of(row["payload"]))
        except Exception as error:  # a channel with a fault must not stop the others
            return Delivery("retry", f"{type(error).__name__} in the channel")

    def _settle(self, row: Row, delivery: Delivery, done: Sent, now: datetime) -> Sent:
        attempts = row["attempts"] + 1
        values: dict[str, Any] = {"leased_until": None, "leased_by": "", "error": delivery.detail}
        down = False
        if delivery.outcome == "sent":
            values |= {"state": "sent", "sent_at": now}
            done = replace(done, sent=done.sent + 1)
        elif delivery.outcome == "refused" or attempts >= MOST_ATTEMPTS:
            values |= {"state": "dead"}
            done, down = replace(done, dead=done.dead + 1), True
        else:
            wait = backoff(row["dedup_key"], attempts, delivery.retry_after)
            values |= {"due_at": now + wait}
            done, down = replace(done, retried=done.retried + 1), attempts >= PATIENCE
        # Only who holds the claim writes: after it ran out, another process may have it. What was
        # cancelled meanwhile stays so unless it has arrived.
        mine = [outbox.c.id == row["id"], outbox.c.leased_by == self._who]
        if delivery.outcome != "sent":
            mine.append(outbox.c.state == "pending")
        with self._engine.begin() as connection:
            settled = connection.execute(outbox.update().where(*mine).values(**values))
            if settled.rowcount and down and row["action"] in ("trigger", "notice"):
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
