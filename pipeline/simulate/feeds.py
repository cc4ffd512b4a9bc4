"""Market data of several venues: our own book, and others that follow it with a small noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.market_data import MARKET_DATA
from pipeline.simulate.exchange import TICKS, Ints, Pair
from pipeline.simulate.outbox import Outbox
from pipeline.simulate.tape import times

__all__ = ["VENUES", "Fault", "Feeds"]

VENUES = ("TOCSIN", "NORTH", "HARBOUR", "MERIDIAN")
"""The first is our own book; the names are made up."""
NOISE = 0.15
"""How far the others' middle is from ours, in our half spread."""
LATENCY = (2_000, 18_000, 25_000, 40_000)
"""Median time from the venue's stamp to our receipt, microseconds."""

NUMBERS = ("bid", "ask", "bid_qty", "ask_qty", "last", "reference")
Numbers = NDArray[Any]
Change = Callable[[dict[str, Numbers]], dict[str, Numbers]]


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one venue's feed from one time until another, microseconds.

    ``change`` gets the columns of the quotes stamped in that time, and gives them back as they
    come out: quotes that are missing then never come.
    """

    venue: int
    symbols: frozenset[int]
    start: int
    end: int
    change: Change = field(repr=False)


class Feeds:
    """Turn samples of the books into quotes of every venue.

    Parameters
    ----------
    pairs : tuple of Pair
    """

    def __init__(self, pairs: tuple[Pair, ...]) -> None:
        self.pairs = pairs
        self.faults: list[Fault] = []
        self._out = Outbox(
            event=np.int64, ts=np.int64, symbol=np.int64, venue=np.int64, id=np.int64,
            sequence=np.int64, **dict.fromkeys(NUMBERS, float),
        )  # fmt: skip
        self._next = 0
        self._sequence = np.zeros((len(VENUES), len(pairs)), np.int64)

    def beat(self, samples: Ints, rng: np.random.Generator) -> None:
        """Take the samples of a minute, from `Exchange.run`."""
        whole = (samples[:, 2] > 0) & (samples[:, 3] < TICKS)
        for s in range(len(self.pairs)):
            mine = samples[whole & (samples[:, 1] == s)]
            if len(mine):
                self._pair(s, mine, rng)

    def connection(self, venue: int, s: int, at: int, *, up: bool) -> None:
        """The connection to a venue goes down, or comes up again, at a time in microseconds."""
        nothing = dict.fromkeys(NUMBERS, np.nan)
        self._out.put(
            at, event=1 if up else 2, ts=at, symbol=s, venue=venue, id=self._next, sequence=-1,
            **nothing,
        )  # fmt: skip
        self._next += 1

    def _pair(self, s: int, samples: Ints, rng: np.random.Generator) -> None:
        count, pair, shape = len(samples), self.pairs[s], (len(VENUES), len(samples))
        ours = samples[:, 2:4] * pair.tick
        middle = ours.mean(axis=1) * (1 + NOISE * pair.half_spread * rng.normal(size=shape))
        wide = pair.half_spread * (0.9 + 0.4 * rng.random(shape))
        bid = np.floor(middle * (1 - wide) / pair.tick) * pair.tick
        ask = np.ceil(middle * (1 + wide) / pair.tick) * pair.tick
        bid[0], ask[0] = ours.T
        sizes = samples[:, 4:6].T * pair.lot * rng.lognormal(0, 0.5, (len(VENUES), 2, count))
        sizes[0] = samples[:, 4:6].T * pair.lot
        ts = samples[:, 0] + np.array([[0], *rng.integers(0, 400_000, (len(VENUES) - 1, 1))])
        late = np.array(LATENCY)[:, None] * rng.lognormal(0, 0.3, shape)
        middle = (bid + ask) / 2
        others = [np.median(np.delete(middle, v, axis=0), axis=0) for v in range(len(VENUES))]
        number = np.arange(1, count + 1) + self._sequence[:, s, None]
        self._sequence[:, s] += count
        quotes = {
            "ts": ts,
            "arrives": ts + late.astype(np.int64),
            "venue": np.broadcast_to(np.arange(len(VENUES))[:, None], shape),
            "bid": bid,
            "ask": ask,
            "bid_qty": sizes[:, 0],
            "ask_qty": sizes[:, 1],
            "last": np.broadcast_to(middle[0], shape),
            "reference": np.array(others),
            "sequence": number,
        }
        quotes = {name: column.ravel() for name, column in quotes.items()}
        for fault in self.faults:
            struck = (quotes["ts"] >= fault.start) & (quotes["ts"] < fault.end)
            struck &= quotes["venue"] == fault.venue
            if s in fault.symbols and struck.any():
                changed = fault.change({k: x[struck] for k, x in quotes.items()})
                quotes = {k: np.concatenate([x[~struck], changed[k]]) for k, x in quotes.items()}
        told = len(quotes["ts"])
        self._out.put(event=0, symbol=s, id=self._next + np.arange(told), **quotes)
        self._next += told

    def take(self, until: int) -> pl.DataFrame:
        """Events of the stream ``market_data`` that arrive before a time."""
        q = self._out.take(until)
        rounded = {n: pl.Series(np.round(q[n], 8)).fill_nan(None) for n in NUMBERS}
        return pl.DataFrame(
            {
                "ts": times(q["ts"]),
                "symbol": pl.Series([p.symbol for p in self.pairs]).gather(q["symbol"]),
                "venue": pl.Series(VENUES).gather(q["venue"]),
                "id": q["id"],
                "event": pl.Series(["quote", "connect", "disconnect"]).gather(q["event"]),
                **rounded,
                "received_at": times(q["arrives"]),
                "sequence": pl.Series(q["sequence"]).set(pl.Series(q["sequence"] < 0), None),
            },
            schema_overrides={c.name: c.type for c in MARKET_DATA.columns},
        ).select(c.name for c in MARKET_DATA.columns)
