"""Who acts on the books: instructions in order of time, and the makers' quotes.

A maker quotes around what it holds the price to be: a fundamental that moves with the news, the
pressure of what takers bought, which wears off, and a lean to the side where the book is deep.
That lean is what a spoofer feeds on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, int64, void
from numpy.typing import NDArray

from features.jit import kernel, read
from pipeline.simulate.book import (
    BOOKS,
    BUY,
    FREE,
    LEFT,
    LIVE,
    NUMBER,
    PRICE,
    SELL,
    USED,
    WHOLE,
    Books,
    depth_near,
)
from pipeline.simulate.matching import (
    CANCEL_RESTING,
    FILLED,
    R_ACCOUNT,
    R_KIND,
    R_OTHER,
    R_QTY,
    R_SIDE,
    amend,
    enter,
    withdraw,
)

__all__ = ["CANCEL", "LIMIT", "MARKET", "MODIFY", "MOVE", "PEGGED", "QUOTE", "SAMPLE", "act"]

LIMIT, PEGGED, MARKET, CANCEL, MODIFY, QUOTE, MOVE, SAMPLE = range(8)
"""Instructions. The price of ``PEGGED`` is ticks behind the best of its own side at that time;
that of ``MOVE`` is the change of the fundamental's logarithm times 1e9."""
(I_AT, I_KIND, I_SYMBOL, I_ACCOUNT, I_SIDE, I_QTY, I_PRICE, I_POLICY, I_HANDLE) = range(9)
FUNDAMENTAL, PRESSURE, PRESSED_AT, IMPACT, LEAN = range(5)
"""What drives a price: logarithms of ticks, microseconds, change a lot, most lean."""
HALF_SPREAD, STEP, LOTS, INVENTORY = range(4)
"""What a maker is: parts of the price, lots at its best price, lots it holds."""
LEVELS = 5
PRESSURE_HALF_LIFE = 600e6
COLLAR = 0.03
"""A market order pays at most 3 % more than the best price."""
SCALE = 1e9


@kernel(float64(float64[:, ::1], int64, int64))
def fair(drive: NDArray[np.float64], s: int, at: int) -> Any:
    """What the makers hold the price to be, in ticks; wears the pressure off until now."""
    d = drive[s]
    d[PRESSURE] *= 0.5 ** ((at - d[PRESSED_AT]) / PRESSURE_HALF_LIFE)
    d[PRESSED_AT] = at
    return np.exp(d[FUNDAMENTAL] + d[PRESSURE])


@kernel(
    void(BOOKS, int64, int64, int64, float64[:, ::1], float64[:, :, ::1], int64[:, :, :, :, ::1])
)
def quote(
    books: Books,
    at: int,
    s: int,
    m: int,
    drive: NDArray[np.float64],
    makers: NDArray[np.float64],
    quotes: NDArray[np.int64],
) -> None:
    """A maker looks at its quotes, withdraws the stale ones and enters new ones."""
    maker = makers[s, m]
    bids, asks = depth_near(books, s, BUY), depth_near(books, s, SELL)
    lean = drive[s, LEAN] * (bids - asks) / max(bids + asks, 1)
    # Who holds much quotes lower: it would rather sell.
    held = maker[INVENTORY] / maker[LOTS]
    lean -= maker[HALF_SPREAD] * min(max(0.15 * held, -3.0), 3.0)
    middle = fair(drive, s, at) * np.exp(lean)
    wanted = np.empty((2, LEVELS), np.int64)
    for k in range(LEVELS):
        away = maker[HALF_SPREAD] + k * maker[STEP]
        wanted[BUY, k] = np.int64(np.floor(middle * (1 - away)))
        wanted[SELL, k] = np.int64(np.ceil(middle * (1 + away)))
    slack = max(np.int64(middle * maker[HALF_SPREAD]), 1)
    for side in range(2):
        for k in range(LEVELS):
            slot, number = quotes[s, m, side, k]
            if number < 0 or books.orders[slot, NUMBER] != number:
                quotes[s, m, side, k, 1] = -1
                continue
            order = books.orders[slot]
            off = abs(order[PRICE] - wanted[side, k]) > slack
            if off or 2 * order[LEFT] < order[WHOLE]:
                withdraw(books, at, s, slot)
                quotes[s, m, side, k, 1] = -1
    for side in range(2):
        for k in range(LEVELS):
            if quotes[s, m, side, k, 1] >= 0:
                continue
            price = wanted[side, k]
            # A quote adds to the book and takes nothing from it.
            if side == BUY:
                price = min(price, books.touch[s, SELL] - 1)
            else:
                price = max(price, books.touch[s, BUY] + 1)
            if price <= 0 or price >= books.levels.shape[3]:
                continue
            lots = max(int(maker[LOTS] * (1 + 0.5 * k)), 1)
            slot = enter(books, at, s, m, side, lots, price, CANCEL_RESTING, False)
            quotes[s, m, side, k, 0] = slot
            quotes[s, m, side, k, 1] = books.orders[slot, NUMBER]


@kernel(int64(BOOKS, read(int64), float64[:, ::1], int64))
def worst_price(
    books: Books, todo: NDArray[np.int64], drive: NDArray[np.float64], ticks: int
) -> Any:
    """The worst price of an order that enters, in ticks."""
    s, side, price = todo[I_SYMBOL], todo[I_SIDE], todo[I_PRICE]
    if todo[I_KIND] == LIMIT:
        return price
    ours, theirs = books.touch[s, side], books.touch[s, 1 - side]
    if todo[I_KIND] == PEGGED:
        if ours == 0 or ours == ticks:
            ours = np.int64(fair(drive, s, todo[I_AT]))
        return ours - price if side == BUY else ours + price
    if side == BUY:
        return min(np.int64(theirs * (1 + COLLAR)), ticks - 1)
    return max(np.int64(theirs * (1 - COLLAR)), 1)


@kernel(
    int64(
        BOOKS,
        read(int64, 2),
        int64,
        int64[:, ::1],
        float64[:, ::1],
        float64[:, :, ::1],
        int64[:, :, :, :, ::1],
        int64[:, ::1],
    )
)
def act(
    books: Books,
    todo: NDArray[np.int64],
    begin: int,
    handles: NDArray[np.int64],
    drive: NDArray[np.float64],
    makers: NDArray[np.float64],
    quotes: NDArray[np.int64],
    samples: NDArray[np.int64],
) -> int:
    """Carry out instructions from number ``begin`` on, as long as there is room.

    Parameters
    ----------
    todo : ndarray of shape (n, 9)
        Instructions in order of time.
    handles : ndarray of shape (h, 3)
        Slot, number and handle of the orders that may be withdrawn by handle, at handle modulo h.
    drive, makers, quotes : ndarray
        Of shape (symbols, 5), (symbols, makers, 4) and (symbols, makers, 2, 5, 2).
    samples : ndarray of shape (n, 6)
        Gets for each instruction ``SAMPLE``: 1, symbol, best bid and ask, lots at each; else 0s.

    Returns
    -------
    int
        Number of the first instruction not carried out; less than n where rows have to be taken
        away or slots added first.
    """
    ticks = books.levels.shape[3]
    slots = books.orders.shape[0]
    for i in range(begin, todo.shape[0]):
        # At most every order at rest is filled: two rows each.
        if books.totals[USED] + 2 * books.totals[LIVE] + 64 > books.rows.shape[0]:
            return i
        if books.totals[LIVE] + 64 > slots or books.totals[FREE] < 0:
            return i
        at, kind, s = todo[i, I_AT], todo[i, I_KIND], todo[i, I_SYMBOL]
        account, handle = todo[i, I_ACCOUNT], todo[i, I_HANDLE]
        before = books.totals[USED]
        if kind == MOVE:
            drive[s, FUNDAMENTAL] += todo[i, I_PRICE] / SCALE
        elif kind == QUOTE:
            quote(books, at, s, account, drive, makers, quotes)
        elif kind == SAMPLE:
            samples[i, 0], samples[i, 1] = 1, s
            for side in range(2):
                best = books.touch[s, side]
                samples[i, 3 - side] = best
                samples[i, 5 - side] = books.levels[s, side, 2, best % ticks]
        elif kind in (CANCEL, MODIFY):
            place = handles[handle % handles.shape[0]]
            slot = place[0]
            # Whoever withdraws an order knows whether it is still there.
            if place[2] == handle and slot >= 0 and books.orders[slot, NUMBER] == place[1]:
                if kind == CANCEL:
                    withdraw(books, at, s, slot)
                else:
                    price = todo[i, I_PRICE] if todo[i, I_PRICE] > 0 else books.orders[slot, PRICE]
                    place[0] = amend(books, at, s, slot, todo[i, I_QTY], price, todo[i, I_POLICY])
        else:
            price = worst_price(books, todo[i], drive, ticks)
            side, qty, policy = todo[i, I_SIDE], todo[i, I_QTY], todo[i, I_POLICY]
            slot = enter(books, at, s, account, side, qty, price, policy, kind == MARKET)
            if handle >= 0:
                place = handles[handle % handles.shape[0]]
                place[0], place[2] = slot, handle
                place[1] = books.orders[slot, NUMBER] if slot >= 0 else -1
        bought = 0
        for r in range(before, books.totals[USED]):
            row = books.rows[r]
            if row[R_KIND] != FILLED:
                continue
            signed = row[R_QTY] if row[R_SIDE] == BUY else -row[R_QTY]
            if row[R_ACCOUNT] < makers.shape[1]:
                makers[s, row[R_ACCOUNT], INVENTORY] += signed
            if row[R_OTHER] >= 0:
                bought += signed
        if bought != 0:
            fair(drive, s, at)
            drive[s, PRESSURE] += bought * drive[s, IMPACT]
    return len(todo)
