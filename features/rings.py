"""Who trades with whom: accounts that are each other's makers and takers, per symbol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from numba import boolean, float64, int64, uint32
from numpy.typing import NDArray

from features import trading
from features.jit import kernel, read
from features.trading import TRADES
from features.view import FeatureView, collect, derived, feature

__all__ = ["SYMBOL_5M"]

COMMON = (
    trading.is_buy,
    trading.paid,
    trading.count,
    trading.notional,
    trading.self_match_share,
    trading.size_repetition,
)
"""What this view measures as the others of trades do."""


@derived
def both_roles(
    buyer: pl.Expr, seller: pl.Expr, is_buy: pl.Expr, qty: pl.Expr, window: pl.Expr
) -> pl.Expr:
    """By how much the trade adds to what accounts both made and took in the window."""

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        buyer, seller, is_buy, qty, window = columns
        unknown = buyer.is_null() | seller.is_null()
        if unknown.all():
            return pl.repeat(None, len(qty), dtype=pl.Float64, eager=True)
        added = made_and_taken(
            buyer.fill_null(0).to_numpy(),
            seller.fill_null(0).to_numpy(),
            unknown.to_numpy(),
            is_buy.to_numpy(),
            qty.to_numpy(),
            window.to_numpy(),
        )
        return pl.Series(added).set(unknown, None)

    given = [buyer, seller, is_buy, qty, window.cast(pl.Int64)]
    return pl.map_batches(given, run, return_dtype=pl.Float64)


@feature(unit="share", direction="high", source="SCENARIOS.md, S6")
def both_roles_share(both_roles: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """What accounts traded both as maker and as taker, over the quantity of all trades.

    Of each account the lesser of the two counts. A maker of markets only makes and an arbitrageur
    only takes, however often; in a ring, or with itself, everybody does both: then it is near 1.
    Null where accounts are not known.
    """
    total = pl.when(both_roles.is_not_null()).then(qty).sum()
    return pl.when(both_roles.count() > 0).then(both_roles.sum() / total)


@kernel(
    float64[::1](
        read(uint32), read(uint32), read(boolean), read(boolean), read(float64), read(int64)
    )
)
def made_and_taken(
    buyer: NDArray[np.uint32],
    seller: NDArray[np.uint32],
    unknown: NDArray[np.bool_],
    is_buy: NDArray[np.bool_],
    qty: NDArray[np.float64],
    window: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Growth, trade by trade, of the sum over accounts of the lesser of what was made and taken."""
    accounts = np.int64(max(buyer.max(), seller.max())) + 1
    seen = np.full(accounts, -1, np.int64)
    made, taken = np.zeros(accounts, np.float64), np.zeros(accounts, np.float64)
    added = np.zeros(buyer.size, np.float64)
    for i in range(buyer.size):
        if unknown[i]:
            continue
        taker, maker = (buyer[i], seller[i]) if is_buy[i] else (seller[i], buyer[i])
        for account in (taker, maker):
            if seen[account] != window[i]:
                seen[account] = window[i]
                made[account] = taken[account] = 0.0
        before = min(made[taker], taken[taker])
        if maker != taker:
            before += min(made[maker], taken[maker])
        taken[taker] += qty[i]
        made[maker] += qty[i]
        after = min(made[taker], taken[taker])
        if maker != taker:
            after += min(made[maker], taken[maker])
        added[i] = after - before
    return added


SYMBOL_5M = FeatureView(
    "trades.symbol_5m",
    TRADES,
    ("symbol",),
    timedelta(minutes=5),
    COMMON + collect(__name__),
)
