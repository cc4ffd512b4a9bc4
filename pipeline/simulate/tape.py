"""What the exchange tells of itself: rows of the engine become events of orders and trades."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.orders import KINDS, ORDERS
from features.stream import TIME
from features.trading import TRADES
from pipeline.simulate import matching as m
from pipeline.simulate.exchange import TICKS, Ints, Pair

__all__ = ["orders_frame", "times", "trades_frame"]

SIDES = pl.Series(["sell", "buy"], dtype=pl.Enum(["buy", "sell"]))
KIND_WORDS = pl.Series(KINDS, dtype=pl.Enum(KINDS))
Numbers = NDArray[Any]


def times(microseconds: Numbers) -> pl.Series:
    """Microseconds since the epoch as UTC times."""
    return (
        pl.Series(microseconds.astype(np.int64)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )


def orders_frame(
    pairs: tuple[Pair, ...],
    rows: Ints,
    ids: Ints,
    processing: Numbers,
    waiting: Numbers,
    name: Callable[[Ints], pl.Series],
) -> pl.DataFrame:
    """Rows as events of the stream ``orders``.

    Parameters
    ----------
    ids, processing, waiting : ndarray of shape (n,)
        Number of each message, what the engine took for it (ms), and how many waited behind it.
    name : callable
        From numbers of accounts to their names.
    """
    s = rows[:, m.R_SYMBOL]
    tick, lot = (np.array([getattr(p, field) for p in pairs])[s] for field in ("tick", "lot"))

    def price(column: int) -> pl.Series:
        ticks = rows[:, column]
        known = (ticks > 0) & (ticks < TICKS)
        return pl.Series(np.where(known, _decimal(ticks * tick), np.nan)).fill_nan(None)

    def quantity(column: int) -> Numbers:
        return _decimal(rows[:, column] * lot)

    return pl.DataFrame(
        {
            "ts": times(rows[:, m.R_AT]),
            "symbol": pl.Series([p.symbol for p in pairs]).gather(s),
            "account": name(rows[:, m.R_ACCOUNT]),
            "id": ids,
            "order_id": pl.Series(rows[:, m.R_ORDER]).cast(pl.String),
            "kind": KIND_WORDS.gather(rows[:, m.R_KIND]),
            "side": SIDES.gather(rows[:, m.R_SIDE]),
            "qty": quantity(m.R_QTY),
            "price": price(m.R_PRICE),
            "order_qty": quantity(m.R_WHOLE),
            "entered_at": times(rows[:, m.R_ENTERED]),
            "best_bid": price(m.R_BID),
            "best_ask": price(m.R_ASK),
            "bid_depth": quantity(m.R_BID_DEPTH),
            "ask_depth": quantity(m.R_ASK_DEPTH),
            "processing": processing,
            "queue_depth": waiting,
        },
        schema={c.name: c.type for c in ORDERS.columns},
    )


def trades_frame(
    pairs: tuple[Pair, ...], rows: Ints, ids: Ints, name: Callable[[Ints], pl.Series]
) -> pl.DataFrame:
    """The fills among rows as events of the stream ``trades``, numbered by the taker's message."""
    taken = rows[:, m.R_OTHER] >= 0
    rows, ids = rows[taken], ids[taken]
    s = rows[:, m.R_SYMBOL]
    tick, lot = (np.array([getattr(p, field) for p in pairs])[s] for field in ("tick", "lot"))
    buys = rows[:, m.R_SIDE] == 1
    taker, maker = rows[:, m.R_ACCOUNT], rows[:, m.R_OTHER]
    return pl.DataFrame(
        {
            "ts": times(rows[:, m.R_AT]),
            "symbol": pl.Series([p.symbol for p in pairs]).gather(s),
            "id": ids,
            "price": _decimal(rows[:, m.R_PRICE] * tick),
            "qty": _decimal(rows[:, m.R_QTY] * lot),
            "side": SIDES.gather(rows[:, m.R_SIDE]),
            "buyer": name(np.where(buys, taker, maker)),
            "seller": name(np.where(buys, maker, taker)),
        },
        schema={c.name: TIME if c.name == "ts" else c.type for c in TRADES.columns},
    )


def _decimal(value: Numbers) -> Numbers:
    """Decimals as people write them: 0.3, not 0.30000000000000004."""
    return np.round(value, 8)
