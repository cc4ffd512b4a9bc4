"""A limit order book for each symbol: price levels, and the queue of orders at each.

Prices are whole ticks and quantities whole lots. All books share one pool of orders; a price
level is a queue of orders linked through it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import int64, types, void
from numpy.typing import NDArray

from features.jit import kernel

__all__ = [
    "BOOKS",
    "BUY",
    "SELL",
    "Books",
    "depth_near",
    "free",
    "leave",
    "new_books",
    "rest",
    "with_room",
]

SELL, BUY = 0, 1
HEAD, TAIL, DEPTH = 0, 1, 2
"""What is known of a price level: first and last order (-1 none), and lots in all."""
(PRICE, LEFT, WHOLE, SIDE, ACCOUNT, BEFORE, AFTER, ENTERED, NUMBER) = range(9)
"""What is known of an order; ``NUMBER`` is -1 in a free slot, whose ``AFTER`` is the next."""
FREE, NEXT, USED, LIVE = range(4)
"""Totals: first free slot, number of the next order, rows written, orders at rest."""
ROW = 15
NEAR = 200
"""Depth is counted within a part of 1 / 200, 50 bp, of the best price."""


class Books(NamedTuple):
    """The arrays that the kernels work on, all int64.

    Parameters
    ----------
    levels : ndarray of shape (symbols, 2, 3, ticks)
    touch : ndarray of shape (symbols, 2)
        Best price of each side: 0 where nobody buys, ``ticks`` where nobody sells.
    orders : ndarray of shape (slots, 9)
    totals : ndarray of shape (4,)
    rows : ndarray of shape (room, 15)
        What happened, written by `pipeline.simulate.matching`.
    """

    levels: NDArray[np.int64]
    touch: NDArray[np.int64]
    orders: NDArray[np.int64]
    totals: NDArray[np.int64]
    rows: NDArray[np.int64]


BOOKS: Any = types.NamedTuple(  # type: ignore[no-untyped-call]
    (int64[:, :, :, ::1], int64[:, ::1], int64[:, ::1], int64[::1], int64[:, ::1]), Books
)


def new_books(symbols: int, ticks: int, slots: int = 4_096, rows: int = 65_536) -> Books:
    """Empty books whose prices are from 1 to ``ticks - 1``."""
    levels = np.full((symbols, 2, 3, ticks), -1, np.int64)
    levels[:, :, DEPTH] = 0
    touch = np.zeros((symbols, 2), np.int64)
    touch[:, SELL] = ticks
    none = np.empty((0, 9), np.int64)
    totals = np.array([-1, 1, 0, 0], np.int64)
    return with_room(Books(levels, touch, none, totals, np.empty((rows, ROW), np.int64)), slots)


def with_room(books: Books, slots: int) -> Books:
    """The same books with room for so many orders at rest; no order moves."""
    old = len(books.orders)
    more = np.full((slots - old, 9), -1, np.int64)
    more[:, AFTER] = np.arange(old + 1, slots + 1)
    more[-1, AFTER] = books.totals[FREE]
    books.totals[FREE] = old
    return books._replace(orders=np.concatenate([books.orders, more]))


@kernel(int64(BOOKS, int64, int64))
def depth_near(books: Books, s: int, side: int) -> int:
    """Lots within 50 bp of the best price of a side."""
    best = books.touch[s, side]
    ticks = books.levels.shape[3]
    total = 0
    if side == BUY:
        for price in range(best, max(best - best // NEAR, 1) - 1, -1):
            total += books.levels[s, BUY, DEPTH, price]
    else:
        for price in range(best, min(best + best // NEAR + 1, ticks)):
            total += books.levels[s, SELL, DEPTH, price]
    return total


@kernel(void(BOOKS, int64, int64))
def rest(books: Books, s: int, slot: int) -> None:
    """Put an order at the end of the queue of its price."""
    orders, touch = books.orders, books.touch
    price, side = orders[slot, PRICE], orders[slot, SIDE]
    level = books.levels[s, side]
    last = level[TAIL, price]
    orders[slot, BEFORE], orders[slot, AFTER] = last, -1
    if last >= 0:
        orders[last, AFTER] = slot
    else:
        level[HEAD, price] = slot
    level[TAIL, price] = slot
    level[DEPTH, price] += orders[slot, LEFT]
    if side == BUY:
        touch[s, BUY] = max(touch[s, BUY], price)
    else:
        touch[s, SELL] = min(touch[s, SELL], price)
    books.totals[LIVE] += 1


@kernel(void(BOOKS, int64, int64))
def leave(books: Books, s: int, slot: int) -> None:
    """Take an order out of its queue; the slot is still the order's."""
    orders = books.orders
    price, side = orders[slot, PRICE], orders[slot, SIDE]
    level = books.levels[s, side]
    before, after = orders[slot, BEFORE], orders[slot, AFTER]
    if before >= 0:
        orders[before, AFTER] = after
    else:
        level[HEAD, price] = after
    if after >= 0:
        orders[after, BEFORE] = before
    else:
        level[TAIL, price] = before
    level[DEPTH, price] -= orders[slot, LEFT]
    best = books.touch[s, side]
    if side == BUY:
        while best > 0 and level[HEAD, best] < 0:
            best -= 1
    else:
        while best < level.shape[1] and level[HEAD, best] < 0:
            best += 1
    books.touch[s, side] = best
    books.totals[LIVE] -= 1


@kernel(void(BOOKS, int64))
def free(books: Books, slot: int) -> None:
    """Give a slot back to the pool."""
    books.orders[slot, NUMBER] = -1
    books.orders[slot, AFTER] = books.totals[FREE]
    books.totals[FREE] = slot
