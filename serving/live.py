"""What changes, as it changes: rows of `changes` to every page, each with its number.

A page that lost its connection says the last number it saw and is given what it missed. A page
that is too slow is let go; it comes back and resumes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool

from pipeline.database import reading
from serving.alerts.lifecycle import State
from serving.store.tables import alerts, changes, incidents, runs

__all__ = ["Live", "TooManyError", "TooSlowError"]

EVERY_S = 0.25
MOST_WAITING = 1_000
MOST_MISSED = 5_000
# Numbers are given when rows are written, and rows are seen when they are committed: with several
# writers a lower number may come to light after a higher one. So far back it is looked for.
OVERLAP = 200
MOST_SHOWN = 500


class TooSlowError(Exception):
    """A page that does not take what it is given."""


class TooManyError(Exception):
    """No more pages can be kept up to date."""


class Live:
    """Follows the table of changes while anybody looks, and hands each row to every page.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    most : int
        Pages at once.
    """

    def __init__(self, engine: sa.Engine, most: int) -> None:
        self._engine, self._most = engine, most
        self._pages: set[asyncio.Queue[dict[str, Any] | None]] = set()
        self._seen: deque[int] = deque(maxlen=2 * OVERLAP)
        self._beginning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def snapshot(self) -> dict[str, Any]:
        """How things stand, and the number of the newest change in it."""
        return await run_in_threadpool(self._snapshot)

    async def missed(self, since: int) -> list[dict[str, Any]] | None:
        """Every change after a number; None where they are too many or no longer known."""
        return await run_in_threadpool(self._missed, since)

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Callable[[], Any]]:
        """A page that looks: gives a function that awaits the next change.

        Raises
        ------
        TooManyError
            There are as many pages as there may be.
        TooSlowError
            By that function, when more than 1,000 changes wait for the page.
        """
        if len(self._pages) >= self._most:
            raise TooManyError
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(MOST_WAITING)
        async with self._beginning:
            if self._task is None or self._task.done():
                self._seen.clear()
                await run_in_threadpool(self._fresh)
                self._seen.append(0)
                self._task = asyncio.create_task(self._follow())
            self._pages.add(queue)

        async def following() -> dict[str, Any]:
            change = await queue.get()
            if change is None:
                raise TooSlowError
            return change

        try:
            yield following
        finally:
            self._pages.discard(queue)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            if not self._pages:
                return
            # While the database is away for a moment nothing is lost: it is asked again.
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                for change in await run_in_threadpool(self._fresh):
                    for queue in list(self._pages):
                        self._hand(queue, change)

    def _hand(self, queue: asyncio.Queue[dict[str, Any] | None], change: dict[str, Any]) -> None:
        if queue.qsize() < MOST_WAITING - 1:
            queue.put_nowait(change)
        elif queue in self._pages:
            self._pages.discard(queue)
            queue.put_nowait(None)

    def _fresh(self) -> list[dict[str, Any]]:
        """The rows that were not seen yet; of a first look all are seen."""
        last = max(self._seen, default=None)
        with reading(self._engine) as connection:
            if last is None:
                last = connection.execute(sa.select(sa.func.max(changes.c.sequence))).scalar() or 0
            wanted = sa.select(changes).where(changes.c.sequence > last - OVERLAP)
            ordered = wanted.order_by(changes.c.sequence)
            rows = [dict(row) for row in connection.execute(ordered).mappings()]
        known = set(self._seen)
        fresh = [row for row in rows if row["sequence"] not in known]
        self._seen.extend(row["sequence"] for row in fresh)
        return fresh

    def _snapshot(self) -> dict[str, Any]:
        open_alerts = sa.select(alerts).where(alerts.c.state != State.RESOLVED)
        with reading(self._engine) as connection:
            newest = connection.execute(sa.select(sa.func.max(changes.c.sequence))).scalar() or 0

            def of(query: sa.Select[Any], time: sa.Column[Any]) -> list[dict[str, Any]]:
                found = connection.execute(query.order_by(time.desc()).limit(MOST_SHOWN))
                return [dict(row) for row in found.mappings()]

            shown = [alerts.c[name] for name in _ALERT]
            return {
                "sequence": newest,
                "alerts": of(open_alerts.with_only_columns(*shown), alerts.c.opened_at),
                "incidents": of(
                    sa.select(incidents).where(incidents.c.state == "open"), incidents.c.opened_at
                ),
                "runs": of(
                    sa.select(*(runs.c[name] for name in _RUN)).where(
                        runs.c.state.in_(["running", "paused"])
                    ),
                    runs.c.started_at,
                ),
            }

    def _missed(self, since: int) -> list[dict[str, Any]] | None:
        with reading(self._engine) as connection:
            bounds = sa.select(sa.func.min(changes.c.sequence), sa.func.max(changes.c.sequence))
            first, last = connection.execute(bounds).one()
            if since > (last or 0) or (first is not None and since < first - 1):
                return None
            wanted = sa.select(changes).where(changes.c.sequence > since)
            rows = connection.execute(
                wanted.order_by(changes.c.sequence).limit(MOST_MISSED + 1)
            ).mappings()
            found = [dict(row) for row in rows]
        return found if len(found) <= MOST_MISSED else None


_ALERT = (
    "id", "incident", "view", "entity", "family", "severity", "state", "title", "why",
    "opened_at", "last_seen", "acknowledged_by", "snoozed_until", "risk", "per_day", "suppressed",
)  # fmt: skip
_RUN = ("id", "playbook", "incident", "state", "mode", "started_at")
