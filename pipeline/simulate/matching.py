"""The engine that matches orders: the best price first, and at one price who came first.

Every message becomes a row of what happened, with the book as it stood before.
"""

from __future__ import annotations

from numba import boolean, int64, void

from features.jit import kernel
from pipeline.simulate.book import (
    ACCOUNT,
    AFTER,
    BOOKS,
    BUY,
    DEPTH,
    ENTERED,
    FREE,
    HEAD,
    LEFT,
    NEXT,
    NUMBER,
    PRICE,
    SELL,
    SIDE,
    USED,
    WHOLE,
    Books,
    depth_near,
    free,
    leave,
    rest,
)

__all__ = ["ALLOW", "CANCEL_INCOMING", "CANCEL_RESTING", "amend", "enter", "withdraw"]

ALLOW, CANCEL_RESTING, CANCEL_INCOMING = range(3)
"""What happens where an account would trade with itself; each order brings its own answer."""
NEW, CHANGED, CANCELLED, FILLED, REFUSED = range(5)
"""Kinds of rows, in the order of `features.orders.KINDS`."""
R_AT, R_KIND, R_SYMBOL, R_ACCOUNT, R_ORDER, R_SIDE, R_QTY, R_PRICE, R_WHOLE = range(9)
R_ENTERED, R_BID, R_ASK, R_BID_DEPTH, R_ASK_DEPTH, R_OTHER = range(9, 15)
"""Columns of a row. ``R_PRICE`` is -1 at market. ``R_OTHER`` is the account that rested, in the
taker's row of a fill only, else -1."""


@kernel(void(BOOKS, int64, int64, int64, int64, int64, int64, int64))
def write(
    books: Books, at: int, kind: int, s: int, slot: int, qty: int, price: int, other: int
) -> None:
    """Write down what happens to an order, before it does."""
    order, row = books.orders[slot], books.rows[books.totals[USED]]
    books.totals[USED] += 1
    row[R_AT], row[R_KIND], row[R_SYMBOL] = at, kind, s
    row[R_ACCOUNT], row[R_ORDER], row[R_SIDE] = order[ACCOUNT], order[NUMBER], order[SIDE]
    row[R_QTY], row[R_PRICE], row[R_OTHER] = qty, price, other
    row[R_WHOLE], row[R_ENTERED] = order[WHOLE], order[ENTERED]
    row[R_BID], row[R_ASK] = books.touch[s, BUY], books.touch[s, SELL]
    row[R_BID_DEPTH] = depth_near(books, s, BUY)
    row[R_ASK_DEPTH] = depth_near(books, s, SELL)


@kernel(void(BOOKS, int64, int64, int64))
def withdraw(books: Books, at: int, s: int, slot: int) -> None:
    """Cancel what is left of an order at rest."""
    order = books.orders[slot]
    write(books, at, CANCELLED, s, slot, order[LEFT], order[PRICE], -1)
    leave(books, s, slot)
    free(books, slot)


@kernel(boolean(BOOKS, int64, int64, int64, int64, int64))
def match(books: Books, at: int, s: int, slot: int, worst: int, policy: int) -> bool:
    """Fill an order against the other side up to its worst price; whether the rest may stay."""
    orders, touch = books.orders, books.touch
    side = orders[slot, SIDE]
    against = SELL if side == BUY else BUY
    while orders[slot, LEFT] > 0:
        price = touch[s, against]
        if price == 0 or price == books.levels.shape[3]:
            return True
        if (side == BUY and price > worst) or (side == SELL and price < worst):
            return True
        first = books.levels[s, against, HEAD, price]
        if orders[first, ACCOUNT] == orders[slot, ACCOUNT]:
            if policy == CANCEL_INCOMING:
                return False
            if policy == CANCEL_RESTING:
                withdraw(books, at, s, first)
                continue
        qty = min(orders[slot, LEFT], orders[first, LEFT])
        write(books, at, FILLED, s, first, qty, price, -1)
        write(books, at, FILLED, s, slot, qty, price, orders[first, ACCOUNT])
        orders[slot, LEFT] -= qty
        if qty == orders[first, LEFT]:
            leave(books, s, first)
            free(books, first)
        else:
            orders[first, LEFT] -= qty
            books.levels[s, against, DEPTH, price] -= qty
    return True


@kernel(int64(BOOKS, int64, int64, int64, int64, int64))
def _settle(books: Books, at: int, s: int, slot: int, told: int, policy: int) -> int:
    """Match an order that is in no queue; at market (-1 told), what is left is cancelled."""
    order = books.orders[slot]
    stays = match(books, at, s, slot, order[PRICE], policy)
    if order[LEFT] > 0 and stays and told >= 0:
        rest(books, s, slot)
        return slot
    if order[LEFT] > 0:
        write(books, at, CANCELLED, s, slot, order[LEFT], told, -1)
    free(books, slot)
    return -1


@kernel(int64(BOOKS, int64, int64, int64, int64, int64, int64, int64, boolean))
def enter(
    books: Books,
    at: int,
    s: int,
    account: int,
    side: int,
    qty: int,
    price: int,
    policy: int,
    market: bool,
) -> int:
    """Enter an order and match it; what is left of a limit order rests.

    Parameters
    ----------
    price
        Worst price in ticks; one outside the book's prices, or a quantity of 0, is refused.
    market
        What is not filled at once is cancelled.

    Returns
    -------
    int
        Slot of the order at rest, -1 where none rests.
    """
    slot = books.totals[FREE]
    order = books.orders[slot]
    books.totals[FREE] = order[AFTER]
    order[PRICE], order[LEFT], order[WHOLE] = price, qty, qty
    order[SIDE], order[ACCOUNT], order[ENTERED] = side, account, at
    order[NUMBER] = books.totals[NEXT]
    books.totals[NEXT] += 1
    told = -1 if market else price
    if qty <= 0 or price <= 0 or price >= books.levels.shape[3]:
        write(books, at, REFUSED, s, slot, max(qty, 0), -1, -1)
        free(books, slot)
        return -1
    write(books, at, NEW, s, slot, qty, told, -1)
    return _settle(books, at, s, slot, told, policy)


@kernel(int64(BOOKS, int64, int64, int64, int64, int64, int64))
def amend(books: Books, at: int, s: int, slot: int, qty: int, price: int, policy: int) -> int:
    """Change what is left of an order at rest, and its price; its slot, or -1 where none rests.

    Less at the same price keeps its place; all else goes to the end of the queue, and may match.
    """
    order = books.orders[slot]
    if qty <= 0 or price <= 0 or price >= books.levels.shape[3]:
        write(books, at, REFUSED, s, slot, max(qty, 0), -1, -1)
        return slot
    write(books, at, CHANGED, s, slot, qty, price, -1)
    left = order[LEFT]
    order[WHOLE] += qty - left
    if price == order[PRICE] and qty <= left:
        order[LEFT] = qty
        books.levels[s, order[SIDE], DEPTH, price] += qty - left
        return slot
    leave(books, s, slot)
    order[LEFT], order[PRICE] = qty, price
    return _settle(books, at, s, slot, price, policy)
