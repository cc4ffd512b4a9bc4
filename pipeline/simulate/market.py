"""A made-up market: orders that come in clusters, a price that moves, fills at the book.

Each function is vectorised over all orders of a market. Times are seconds since the start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "FILLS_RUSH",
    "Fills",
    "Market",
    "Orders",
    "clustered_times",
    "fill",
    "fills_each",
    "mid_price",
    "volatility_by_minute",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHILDREN = 0.5
"""Orders that an order brings about, on average (a Hawkes process by its branching form)."""
HERD = 0.75
"""Chance that such an order is on the side of the order that brought it about."""
FILLS_CALM, FILLS_RUSH, FILLS_MOST = 2.3, 1.35, 60
"""Tail index of the fills of a market order: in calm and in a rush, and the most there are."""
IMPACT = 0.3
"""Correlation of the side of an order with the price change up to it."""


@dataclass(frozen=True)
class Market:
    """What sets a market apart.

    Parameters
    ----------
    symbol : str
    price : float
        At the start, in the quote currency.
    orders : float
        Market orders on a normal day.
    value : float
        Median value of an order, in the quote currency.
    volatility : float
        Standard deviation of the log price over a day.
    digits : int
        Decimals of a price; a tick is ``10 ** -digits``.
    """

    symbol: str
    price: float
    orders: float
    value: float
    volatility: float
    digits: int


@dataclass(frozen=True)
class Orders:
    """Market orders, one column each; all of shape (n,)."""

    at: Floats
    buy: NDArray[np.bool_]
    value: Floats
    fills: Ints
    taker: Ints
    maker: Ints
    """Who rests in the book for this order: an account, or -1 for the usual makers."""

    def where(self, rows: Ints | NDArray[np.bool_]) -> Orders:
        """The orders of the given rows."""
        return Orders(*(getattr(self, f.name)[rows] for f in fields(self)))

    @classmethod
    def together(cls, *parts: Orders) -> Orders:
        """All orders of the parts, in order of time."""
        joined = cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))
        return joined.where(np.argsort(joined.at, kind="stable"))


@dataclass(frozen=True)
class Fills:
    """Trades, one column each; all of shape (n,)."""

    at: Floats
    price: Floats
    qty: Floats
    buy: NDArray[np.bool_]
    buyer: Ints
    seller: Ints


def volatility_by_minute(minutes: int, rng: np.random.Generator) -> Floats:
    """How lively each minute is, 1 on average: a slow log-normal level, so that calm and storm
    cluster (AR(1) of half-life 2 hours, standard deviation 0.5)."""
    stay = 0.5 ** (1 / 120)
    shocks = rng.normal(0, 0.5 * np.sqrt(1 - stay**2), minutes)
    level = rng.normal(0, 0.5)
    levels = np.empty(minutes)
    for minute, shock in enumerate(shocks.tolist()):
        level = stay * level + shock
        levels[minute] = level
    return np.exp(levels - 0.125)


def clustered_times(
    per_minute: Floats, rng: np.random.Generator
) -> tuple[Floats, NDArray[np.bool_]]:
    """Times and sides of orders that come on their own and bring about others.

    Parameters
    ----------
    per_minute : array of shape (minutes,)
        Expected number of orders in each minute, those brought about included.

    Returns
    -------
    times, buys : arrays of shape (n,)
        In order of time.

    Source: Hawkes & Oakes, A cluster process representation of a self-exciting process, 1974.
    """
    counts = rng.poisson(per_minute * (1 - CHILDREN))
    times = 60 * (np.repeat(np.arange(counts.size), counts) + rng.random(counts.sum()))
    buys = rng.random(times.size) < 0.5
    generations = [(times, buys)]
    while times.size:
        children = rng.poisson(CHILDREN, times.size)
        parent = np.repeat(np.arange(times.size), children)
        # Most follow within seconds, some within minutes: delays over several scales.
        delay = rng.exponential(np.exp(rng.normal(0.5, 2.0, parent.size)))
        same = rng.random(parent.size) < HERD
        times, buys = times[parent] + delay, buys[parent] == same
        generations.append((times, buys))
    times, buys = (np.concatenate(column) for column in zip(*generations, strict=True))
    order = np.argsort(times, kind="stable")
    order = order[times[order] < 60 * counts.size]
    return times[order], buys[order]


def fills_each(count: int, rng: np.random.Generator, tail: float = FILLS_CALM) -> Ints:
    """Number of fills of each order: most 1, few many (Pareto)."""
    sizes = (1 - rng.random(count)) ** (-1 / tail)
    return np.minimum(sizes, FILLS_MOST).astype(np.int64)


def mid_price(
    market: Market, orders: Orders, lively: Floats, drift: Floats, rng: np.random.Generator
) -> Floats:
    """Mid price at each order: a random walk that leans to the side of the orders.

    Parameters
    ----------
    lively : array of shape (minutes,)
        Factor of the volatility in each minute.
    drift : array of shape (n,)
        Added to the log price: what news and schemes do to it.
    """
    gap = np.diff(orders.at, prepend=0.0)
    minute = (orders.at // 60).astype(np.int64)
    step = market.volatility * lively[minute] * np.sqrt(gap / 86_400)
    side = np.where(orders.buy, 1.0, -1.0)
    lean = IMPACT * side + np.sqrt(1 - IMPACT**2) * rng.normal(size=gap.size)
    price: Floats = market.price * np.exp(np.cumsum(step * lean) + drift)
    return price


def fill(
    market: Market, orders: Orders, mid: Floats, makers: Ints, rng: np.random.Generator
) -> Fills:
    """Every order filled at once, level by level into the book.

    Parameters
    ----------
    mid : array of shape (n,)
        Mid price at each order.
    makers : array of shape (m,), m > 1
        Accounts that rest in the book; one named often is met often.
    """
    order = np.repeat(np.arange(orders.at.size), orders.fills)
    first = np.cumsum(orders.fills) - orders.fills
    level = np.arange(order.size) - first[order]
    tick = 10.0**-market.digits
    # The busier the market, the closer its book; every second fill is a level further away.
    spread = np.maximum(0.01 / np.sqrt(market.orders) * mid, tick / 2)
    depth = spread[order] * (1 + level // 2 / 4)
    buy = orders.buy[order]
    price = np.maximum(np.round(mid[order] + np.where(buy, depth, -depth), market.digits), tick)
    share = rng.exponential(size=order.size) + 0.05
    share /= np.add.reduceat(share, first)[order]
    qty = orders.value[order] * share / price
    # Quantities have three digits, so that round ones come again and again.
    scale = 10.0 ** (2 - np.floor(np.log10(qty)))
    qty = np.round(qty * scale) / scale
    taker = orders.taker[order]
    pick = rng.integers(makers.size, size=order.size)
    maker = makers[pick]
    # Nobody trades with itself: the next maker in line takes the other side.
    while (same := maker == taker).any():
        pick[same] = (pick[same] + 1) % makers.size
        maker = makers[pick]
    named = orders.maker[order]
    maker = np.where((named >= 0) & (rng.random(order.size) < 0.7) & (named != taker), named, maker)
    return Fills(
        orders.at[order],
        price,
        qty,
        buy,
        np.where(buy, taker, maker),
        np.where(buy, maker, taker),
    )
