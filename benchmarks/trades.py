"""Made-up trades of a busy day: few large markets, many small ones, orders that fill in pieces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from features.stream import TIME
from features.trading import TRADES

__all__ = ["DAY", "trades"]

DAY = datetime(2026, 1, 5, tzinfo=UTC)
SYMBOLS, ACCOUNTS = 50, 4_000
MEAN_FILLS = 1.5
LOT = 0.001


def trades(count: int, *, per_day: int | None = None, seed: int = 0) -> pl.DataFrame:
    """Valid trades in the order of arrival.

    Parameters
    ----------
    count : int
        Number of trades. Symbols share them by Zipf's law; fills of an order share their
        microsecond, taker and side; sizes are lognormal and come in lots, prices are random walks.
    per_day : int, optional
        How dense they are; by default they fill one day.
    """
    rng = np.random.default_rng(seed)
    fills = rng.geometric(1 / MEAN_FILLS, count)
    order = np.repeat(np.arange(count), fills)[:count]
    orders = order[-1] + 1
    weights = 1 / np.arange(1, SYMBOLS + 1)
    symbol = rng.choice(SYMBOLS, orders, p=weights / weights.sum())[order]
    span = timedelta(days=1) * count // (per_day or count) // timedelta(microseconds=1)
    us = np.sort(rng.integers(0, span, orders))[order]
    buys = rng.random(orders)[order] < 0.5
    # A few accounts trade most: the busiest has a share of 6 %.
    taker, maker = (ACCOUNTS * rng.random((2, count)) ** 3).astype(int)
    taker = taker[order]
    steps = rng.normal(0, 1e-4, count)
    price = np.empty(count)
    for s in range(SYMBOLS):
        of = symbol == s
        price[of] = 10.0 ** rng.uniform(-2, 4) * np.exp(np.cumsum(steps[of]))
    names = pl.Series([f"account-{i:04}" for i in range(ACCOUNTS)])
    frame = pl.DataFrame(
        {
            "ts": pl.Series(us).cast(pl.Duration("us")) + pl.Series([DAY]).cast(TIME),
            "symbol": pl.Series([f"S{s:02}USDT" for s in range(SYMBOLS)]).gather(symbol),
            "id": np.arange(count),
            "price": price,
            "qty": np.ceil(rng.lognormal(0, 1.5, count) / LOT) * LOT,
            "side": pl.Series(["sell", "buy"]).gather(buys.astype(int)),
            "buyer": names.gather(np.where(buys, taker, maker)),
            "seller": names.gather(np.where(buys, maker, taker)),
        }
    )
    return TRADES.validate(frame, now=DAY + timedelta(days=1)).events
