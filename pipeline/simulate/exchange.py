"""An exchange: pairs with their books and makers, and a queue of instructions to carry out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.simulate import agents
from pipeline.simulate.book import LIVE, USED, new_books, with_room
from pipeline.simulate.matching import CANCEL_RESTING

__all__ = ["PAIRS", "Exchange", "Pair", "instructions"]

Ints = NDArray[np.int64]
TICKS = 65_536
HANDLES = 131_072
MAKERS = 3
WIDTHS = (1.0, 1.6, 2.6)
"""Half spreads of the makers, as multiples of the pair's."""
IMPACT = 0.5
"""Change of the log price were a normal day's volume bought at once."""


@dataclass(frozen=True)
class Pair:
    """What sets a market apart.

    Parameters
    ----------
    symbol : str
    price, tick, lot : float
        At the start, in the quote currency; its step; the step of a quantity, in the base.
    orders : float
        Market orders on a normal day.
    value : float
        Median value of an order, in the quote currency.
    volatility : float
        Standard deviation of the log price over a day.
    half_spread : float
        Of the best maker, as a part of the price.
    """

    symbol: str
    price: float
    tick: float
    lot: float
    orders: float
    value: float
    volatility: float
    half_spread: float


PAIRS = (
    Pair("BTCUSDT", 60_000.0, 4.0, 0.0001, 16_000, 900, 0.03, 2e-4),
    Pair("ETHUSDT", 3_000.0, 0.2, 0.001, 11_000, 600, 0.04, 2.5e-4),
    Pair("SOLUSDT", 150.0, 0.01, 0.01, 6_000, 350, 0.05, 4e-4),
    Pair("LINKUSDT", 15.0, 0.001, 0.1, 3_000, 250, 0.05, 6e-4),
    Pair("DOTUSDT", 7.0, 0.0005, 0.1, 2_000, 200, 0.05, 8e-4),
    Pair("WRENUSDT", 0.42, 5e-5, 1.0, 900, 120, 0.06, 20e-4),
    Pair("LARKUSDT", 0.081, 1e-5, 10.0, 600, 90, 0.06, 25e-4),
)
"""From liquid to thin; the last two names are made up."""


def instructions(
    at: ArrayLike,
    kind: ArrayLike,
    symbol: ArrayLike,
    *,
    account: ArrayLike = -1,
    side: ArrayLike = 0,
    qty: ArrayLike = 0,
    price: ArrayLike = 0,
    policy: ArrayLike = CANCEL_RESTING,
    handle: ArrayLike = -1,
) -> Ints:
    """Instructions for the exchange, shape (n, 9), from columns that are broadcast together.

    Parameters
    ----------
    at
        Microseconds since the epoch.
    kind, price, policy, handle
        See `pipeline.simulate.agents` and `pipeline.simulate.matching`.
    """
    columns = (at, kind, symbol, account, side, qty, price, policy, handle)
    whole = [np.atleast_1d(np.asarray(column)).astype(np.int64) for column in columns]
    return np.stack(np.broadcast_arrays(*whole), axis=1)


class Exchange:
    """The books of all pairs, their makers, and what is still to be done.

    Parameters
    ----------
    start : int
        Microseconds since the epoch.
    pairs : tuple of Pair
    """

    def __init__(self, start: int, pairs: tuple[Pair, ...] = PAIRS) -> None:
        self.pairs = pairs
        self.books = new_books(len(pairs), TICKS)
        self.handles = np.full((HANDLES, 3), -1, np.int64)
        self.drive = np.zeros((len(pairs), 5))
        self.makers = np.zeros((len(pairs), MAKERS, 4))
        self.quotes = np.full((len(pairs), MAKERS, 2, agents.LEVELS, 2), -1, np.int64)
        self._waiting: list[Ints] = []
        self._given = 0
        for s, pair in enumerate(pairs):
            lots = pair.value / pair.price / pair.lot
            # The mean order is about twice the median one.
            volume = 2 * pair.orders * lots
            self.drive[s] = (
                np.log(pair.price / pair.tick),
                0.0,
                start,
                IMPACT / volume,
                pair.half_spread / 2,
            )
            for m, width in enumerate(WIDTHS):
                half = pair.half_spread * width
                self.makers[s, m] = (half, half, 2 * lots * width, 0.0)

    def new_handles(self, count: int) -> Ints:
        """Names for orders that are to be withdrawn or changed; good for 131,072 orders after."""
        self._given += count
        return np.arange(self._given - count, self._given)

    def lots(self, s: int | Ints, value: ArrayLike) -> Ints:
        """Whole lots, at least 1, that are worth so much of the quote currency now."""
        price = np.array([p.tick * p.lot for p in self.pairs])[s]
        worth = price * np.exp(self.drive[s, agents.FUNDAMENTAL] + self.drive[s, agents.PRESSURE])
        lots: Ints = np.maximum(np.rint(np.asarray(value) / worth), 1).astype(np.int64)
        return lots

    def submit(self, todo: Ints) -> None:
        """Give instructions, in any order of time; equal times are carried out as given."""
        self._waiting.append(todo)

    def run(self, until: int) -> tuple[Ints, Ints]:
        """Carry out what is due before a time.

        Returns
        -------
        rows, samples
            What happened, see `pipeline.simulate.matching`, and for each ``SAMPLE`` its time,
            symbol, best bid and ask in ticks, and lots at each.
        """
        todo = np.concatenate(self._waiting)
        due = todo[:, agents.I_AT] < until
        self._waiting = [todo[~due]]
        todo = todo[due]
        todo = np.ascontiguousarray(todo[np.argsort(todo[:, agents.I_AT], kind="stable")])
        samples = np.zeros((len(todo), 6), np.int64)
        told = []
        done = 0
        while done < len(todo):
            done = agents.act(
                self.books, todo, done, self.handles, self.drive, self.makers, self.quotes, samples
            )
            told.append(self._take_rows())
            if self.books.totals[LIVE] + 64 > len(self.books.orders):
                self.books = with_room(self.books, 2 * len(self.books.orders))
        rows = np.concatenate(told) if told else self.books.rows[:0].copy()
        sampled = samples[:, 0] == 1
        samples[:, 0] = todo[:, agents.I_AT]
        return rows, samples[sampled]

    def _take_rows(self) -> Ints:
        used = self.books.totals[USED]
        self.books.totals[USED] = 0
        return self.books.rows[:used].copy()
