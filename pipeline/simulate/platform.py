"""A whole trading platform, made up from a seed: its market, its users and its machines.

Everything is made up a minute at a time, each minute from random numbers of its own, and given
out by the time of arrival. So the same seed gives the same events, however they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipeline.simulate import matching as m
from pipeline.simulate.exchange import PAIRS, Exchange, Pair
from pipeline.simulate.feeds import Feeds
from pipeline.simulate.flow import BEAT, SECOND, Flow
from pipeline.simulate.machines import CADENCE, Machines
from pipeline.simulate.people import People
from pipeline.simulate.tape import orders_frame, trades_frame
from pipeline.simulate.visits import Visits

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.simulate.chain.world import World

__all__ = ["STREAMS", "Platform"]

STREAMS = (
    "trades", "orders", "market_data", "access", "host", "disk", "network", "service", "database",
)  # fmt: skip
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Platform:
    """A platform that lives from one time on.

    Parameters
    ----------
    seed : int
        At least 0.
    start : datetime
        Aware, at a whole minute.
    pairs : tuple of Pair
        What is traded.
    activity : float
        Times the normal number of orders and sessions.
    chain : World, optional
        Deployed, its newest block not after ``start``. It lives on with the platform, block by
        block; its events are read from its node, as from any other.
    patience : timedelta, optional
        The longest that those who play wait from one act to the next; by default as long as they
        would in life, which is up to three weeks.

    Raises
    ------
    ValueError
        ``start`` is not aware or not at a whole minute.
    """

    def __init__(
        self,
        seed: int,
        start: datetime,
        *,
        pairs: tuple[Pair, ...] = PAIRS,
        activity: float = 1.0,
        chain: World | None = None,
        patience: timedelta | None = None,
    ) -> None:
        if start.tzinfo is None or (start - EPOCH) % timedelta(minutes=1):
            raise ValueError(f"start = {start}; expected an aware time at a whole minute")
        self.seed = seed
        self.chain = chain
        self._patience = patience // timedelta(microseconds=1) if patience else None
        self.horizon = self.microseconds(start)
        """Everything before this time is made up already, microseconds since the epoch."""
        self.people = People(seed)
        self.exchange = Exchange(self.horizon, pairs)
        self.flow = Flow(self.exchange, self.people.traders, activity)
        self.feeds = Feeds(pairs)
        self.visits = Visits(self.people, activity)
        self.machines = Machines()
        self._tape: list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = []
        self._given = 0
        self._moves: list[tuple[int, Callable[[], object]]] = []

    @staticmethod
    def microseconds(at: datetime) -> int:
        """A time as microseconds since the epoch."""
        return (at - EPOCH) // timedelta(microseconds=1)

    def symbol(self, name: str) -> int:
        """Number of a pair."""
        return [p.symbol for p in self.exchange.pairs].index(name)

    def random(self, *parts: int) -> np.random.Generator:
        """Random numbers of a part of the platform's life, the same whenever asked for."""
        return np.random.default_rng([self.seed, *parts])

    def wait(self, microseconds: float) -> int:
        """How long somebody waits who would in life wait so long, microseconds."""
        return int(min(microseconds, self._patience or microseconds))

    def actors(self) -> pl.DataFrame:
        """Who belongs to whom; see `pipeline.simulate.people.ACTORS`."""
        return self.people.actors()

    def advance(self, until: datetime) -> dict[str, pl.DataFrame]:
        """Live on, and hand over the events that arrive before a time, of every stream.

        Parameters
        ----------
        until : datetime
            Aware. Not before that of the last call.

        Returns
        -------
        dict of str to polars.DataFrame
            For each of `STREAMS` valid events in order of arrival.
        """
        end = self.microseconds(until)
        while self.horizon < end:
            self._beat()
        return {**self._market(end), "market_data": self.feeds.take(end)} | {
            "access": self.visits.take(end),
            **self.machines.take(end),
        }

    def on_chain(self, at: int, move: Callable[[], object]) -> None:
        """Make a move on the chain in the first block after a time, microseconds."""
        self._moves.append((at, move))
        self._moves.sort(key=lambda due: due[0])

    def _live_on_chain(self, chain: World, until: int) -> None:
        """Mine blocks up to a time; a move takes the place of a block of normal life."""
        while (now := self.microseconds(chain.ledger.now)) < until:
            if self._moves and self._moves[0][0] <= now:
                self._moves.pop(0)[1]()
            else:
                chain.act(1)

    def _beat(self) -> None:
        at = self.horizon
        if self.chain is not None:
            self._live_on_chain(self.chain, at + BEAT)
        minute = at // BEAT
        self.flow.beat(at, self.random(2, minute))
        self.visits.beat(at, self.random(3, minute))
        rng = self.random(4, minute)
        sampled = []
        for half in range(at, at + BEAT, CADENCE):
            rows, samples = self.exchange.run(half + CADENCE)
            sampled.append(samples)
            # How busy the engine is shows in how long each message takes.
            per_second = len(rows) * SECOND / CADENCE
            processing = 0.06 + rng.exponential(0.03, len(rows)) * (1 + per_second / 500)
            waiting = rng.poisson(per_second / 400, len(rows))
            self._tape.append(np.column_stack([rows, np.round(processing, 4), waiting]))
            machines = self.machines
            count = self.visits.settle(half + CADENCE, machines.errors, machines.response, rng)
            machines.sample(half + CADENCE - SECOND, count, len(rows), rng)
        self.feeds.beat(np.concatenate(sampled), rng)
        self.horizon += BEAT

    def _market(self, until: int) -> dict[str, pl.DataFrame]:
        tape = np.concatenate(self._tape) if self._tape else np.empty((0, 17))
        due = int(np.searchsorted(tape[:, m.R_AT], until))
        self._tape = [tape[due:]]
        rows = tape[:due, :15].astype(np.int64)
        ids = self._given + np.arange(due)
        self._given += due
        pairs, names = self.exchange.pairs, self.people.names
        return {
            "trades": trades_frame(pairs, rows, ids, names),
            "orders": orders_frame(pairs, rows, ids, tape[:due, 15], tape[:due, 16], names),
        }
