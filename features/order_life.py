"""What each order message says of its order: how old, how far from the touch, how large.

A message tells what it knows of its order. Where ``entered_at`` or ``order_qty`` is not told, it
is read from the order's ``new`` message if that lies in the same window: nothing older may count,
so that history and live stream agree.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numba import boolean, float64, int64, uint32
from numpy.typing import NDArray

from features.jit import kernel, read
from features.view import derived

__all__ = ["entry_rows", "withdrawn_after_fill"]

HOLD = 2_000_000
"""Longest time from the fill to the cancel of the large order, microseconds (SCENARIOS.md, S5)."""
LARGE_TO_FILLED = 5.0
"""How many times the order filled on the other side makes an order large; ours."""
LARGE_TO_DEPTH = 0.5
"""What part of the depth on its own side makes an order large; ours."""


@derived
def is_buy(side: pl.Expr) -> pl.Expr:
    """Whether the order buys."""
    return side == "buy"


@derived
def is_new(kind: pl.Expr) -> pl.Expr:
    """Whether the message enters an order."""
    return kind == "new"


@derived
def is_cancel(kind: pl.Expr) -> pl.Expr:
    """Whether the message withdraws an order."""
    return kind == "cancel"


@derived
def is_fill(kind: pl.Expr) -> pl.Expr:
    """Whether the message fills an order, in full or in part."""
    return kind == "fill"


@derived
def entry_row(order_id: pl.Expr, is_new: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Row of the message that entered the order in this window; null without one."""
    rows = pl.map_batches(
        [order_id, is_new, window.cast(pl.Int64)],
        lambda s: pl.Series(entry_rows(*(x.to_numpy() for x in s))),
        return_dtype=pl.Int64,
    )
    return pl.when(rows >= 0).then(rows)


@derived
def entered(ts: pl.Expr, entered_at: pl.Expr, entry_row: pl.Expr) -> pl.Expr:
    """When the order was entered, microseconds; null where unknown or after the message."""
    at = ts.to_physical()
    entry = pl.coalesce(entered_at.to_physical(), at.gather(entry_row))
    return pl.when(entry <= at).then(entry)


@derived
def cancel_lifetime(ts: pl.Expr, entered: pl.Expr, is_cancel: pl.Expr) -> pl.Expr:
    """Milliseconds from entry to cancel; null for other messages."""
    return pl.when(is_cancel).then((ts.to_physical() - entered) / 1e3)


@derived
def execution_time(ts: pl.Expr, entered: pl.Expr, is_fill: pl.Expr) -> pl.Expr:
    """Milliseconds from entry to fill; null for other messages."""
    return pl.when(is_fill).then((ts.to_physical() - entered) / 1e3)


@derived
def entered_qty(qty: pl.Expr, is_new: pl.Expr) -> pl.Expr:
    """Quantity that the message enters, else 0."""
    return qty * is_new


@derived
def filled_qty(qty: pl.Expr, is_fill: pl.Expr) -> pl.Expr:
    """Quantity that the message fills, else 0."""
    return qty * is_fill


@derived
def bucket(price: pl.Expr, is_buy: pl.Expr, best_bid: pl.Expr, best_ask: pl.Expr) -> pl.Expr:
    """How far behind the best price of its side: 0 not at all, 1 to 10 bp, 2 to 50 bp, 3 more."""
    behind = pl.when(is_buy).then(1 - price / best_bid).otherwise(price / best_ask - 1)
    # Decimal prices are not exact in binary: 10 bp must not come out a little more than 10 bp.
    bp = (behind * 1e4).round(6)
    return (bp > 0).cast(pl.UInt8) + (bp > 10).cast(pl.UInt8) + (bp > 50).cast(pl.UInt8)


@derived
def entered_in(bucket: pl.Expr, is_new: pl.Expr) -> pl.Expr:
    """Bucket of the order that the message enters; null for other messages."""
    return pl.when(is_new).then(bucket)


@derived
def cancelled_in(bucket: pl.Expr, is_cancel: pl.Expr) -> pl.Expr:
    """Bucket of the order that the message withdraws; null for other messages."""
    return pl.when(is_cancel).then(bucket)


@derived
def is_large(
    qty: pl.Expr, is_new: pl.Expr, is_buy: pl.Expr, bid_depth: pl.Expr, ask_depth: pl.Expr
) -> pl.Expr:
    """Whether the order entered is at least half the depth of its side; null if not known."""
    depth = pl.when(is_buy).then(bid_depth).otherwise(ask_depth)
    return pl.when(is_new).then(qty >= LARGE_TO_DEPTH * depth)


@derived
def is_large_near(is_large: pl.Expr, entered_in: pl.Expr) -> pl.Expr:
    """Whether the order entered is large and within 10 bp of the touch; null if not known."""
    known = is_large.is_not_null() & entered_in.is_not_null()
    return pl.when(known).then(is_large & (entered_in <= 1))


@derived
def fill_pressure(
    is_fill: pl.Expr, is_buy: pl.Expr, bid_depth: pl.Expr, ask_depth: pl.Expr
) -> pl.Expr:
    """Of a fill: depth of the other side less its own, over both; null for other messages."""
    both = bid_depth + ask_depth
    towards_ask = pl.when(is_fill & (both > 0)).then((bid_depth - ask_depth) / both)
    return pl.when(is_buy).then(-towards_ask).otherwise(towards_ask)


@derived
def withdrawn(
    account: pl.Expr,
    is_buy: pl.Expr,
    is_fill: pl.Expr,
    is_cancel: pl.Expr,
    ts: pl.Expr,
    entered: pl.Expr,
    qty: pl.Expr,
    order_qty: pl.Expr,
    entry_row: pl.Expr,
    window: pl.Expr,
) -> pl.Expr:
    """Whether the message withdraws a large order soon after a fill on the other side."""
    whole = pl.coalesce(order_qty, qty.gather(entry_row), qty)
    size = pl.when(is_fill).then(whole).otherwise(qty)
    numbers = [ts.to_physical(), entered.fill_null(-1), size, window.cast(pl.Int64)]
    return pl.map_batches(
        [account, is_buy, is_fill, is_cancel, *numbers],
        lambda s: pl.Series(withdrawn_after_fill(*(x.to_numpy() for x in s))),
        return_dtype=pl.Boolean,
    )


@kernel(int64[::1](read(uint32), read(boolean), read(int64)))
def entry_rows(
    order: NDArray[np.uint32], enters: NDArray[np.bool_], window: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Row at which each row's order was last entered within the same window; -1 without one.

    Parameters
    ----------
    order : ndarray of shape (n,)
        Number of the order that each message is about, in time order within a window.
    enters : ndarray of shape (n,)
        Whether the message enters the order.
    window : ndarray of shape (n,)
        Number of the message's window.

    Source: ours.
    """
    entry = np.full(np.int64(order.max()) + 1, -1, np.int64)
    rows = np.empty(order.size, np.int64)
    for i in range(order.size):
        if enters[i]:
            entry[order[i]] = i
        row = entry[order[i]]
        rows[i] = row if row >= 0 and window[row] == window[i] else -1
    return rows


@kernel(
    boolean[::1](
        read(uint32),
        read(boolean),
        read(boolean),
        read(boolean),
        read(int64),
        read(int64),
        read(float64),
        read(int64),
    )
)
def withdrawn_after_fill(
    account: NDArray[np.uint32],
    is_buy: NDArray[np.bool_],
    is_fill: NDArray[np.bool_],
    is_cancel: NDArray[np.bool_],
    at: NDArray[np.int64],
    entered: NDArray[np.int64],
    size: NDArray[np.float64],
    window: NDArray[np.int64],
) -> NDArray[np.bool_]:
    """Whether a message withdraws a large order soon after a fill on the account's other side.

    Soon is within `HOLD`; large is `LARGE_TO_FILLED` times every order filled on that side while
    the order was on the book, as far back as `HOLD`.

    Parameters
    ----------
    account, is_buy, is_fill, is_cancel, window : ndarray of shape (n,)
        The messages, in time order within a window.
    at, entered : ndarray of shape (n,)
        Time of the message and of its order's entry, microseconds; a negative entry is unknown.
    size : ndarray of shape (n,)
        Of a cancel the quantity withdrawn, of a fill the size of the order that was filled.

    Source: SCENARIOS.md, S5.
    """
    accounts = np.int64(account.max()) + 1
    latest = np.full((2, accounts), -1, np.int64)
    before = np.full(at.size, -1, np.int64)
    found = np.zeros(at.size, np.bool_)
    for i in range(at.size):
        a, side = np.int64(account[i]), np.int64(is_buy[i])
        if is_fill[i]:
            before[i] = latest[side, a]
            latest[side, a] = i
        elif is_cancel[i] and entered[i] >= 0:
            since = max(entered[i], at[i] - HOLD)
            filled = 0.0
            j = latest[1 - side, a]
            while j >= 0 and window[j] == window[i] and at[j] >= since:
                filled = max(filled, size[j])
                j = before[j]
            found[i] = 0.0 < filled * LARGE_TO_FILLED <= size[i]
    return found
