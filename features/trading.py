"""Trades of a market: what a symbol's tape says in 5 seconds and in a minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
from numba import boolean, int64, uint32
from numpy.typing import NDArray

from features.expressions import amount_before
from features.jit import kernel, read
from features.stream import TIME, Column, Stream
from features.view import FeatureView, collect, derived, feature

__all__ = ["SYMBOL_1M", "SYMBOL_5S", "TRADES"]

TRADES = Stream(
    "trades",
    (
        Column("ts", TIME, "Time of the trade."),
        Column("symbol", pl.String(), "Market, such as ETHBTC."),
        Column("id", pl.Int64(), "Number of the trade; its position where the venue gives none."),
        Column("price", pl.Float64(), "Price in the quote currency.", "quote", above=0),
        Column("qty", pl.Float64(), "Quantity in the base currency.", "base", above=0),
        Column("side", pl.Enum(["buy", "sell"]), "Side of the taker."),
        Column("buyer", pl.String(), "Account that bought, where known.", required=False),
        Column("seller", pl.String(), "Account that sold, where known.", required=False),
    ),
    key=("symbol", "id"),
)

RUSH = "La Morgia et al., Pump and Dumps in the Bitcoin Era, ICCCN 2020"


@derived
def is_buy(side: pl.Expr) -> pl.Expr:
    """Whether the taker bought."""
    return side == "buy"


@derived
def paid(price: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Value of the trade in the quote currency."""
    return price * qty


@derived
def bought(paid: pl.Expr, is_buy: pl.Expr) -> pl.Expr:
    """Value of the trade where the taker bought, else 0."""
    return paid * is_buy


@derived
def log_change(price: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Logarithm of the price over the previous trade's; 0 for the first trade of a symbol."""
    return pl.when(first_of_entity).then(0.0).otherwise((price / price.shift(1)).log())


@derived
def gap(ts: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Seconds since the previous trade of the symbol; null for its first."""
    us = ts.to_physical()
    return pl.when(~first_of_entity).then((us - us.shift(1)) / 1e6)


@derived
def buy_fills(ts: pl.Expr, is_buy: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """On the last trade of a millisecond: how many trades of it were bought; else 0."""
    millisecond = ts.to_physical() // 1000
    return pl.map_batches(
        [millisecond, is_buy, first_of_entity],
        lambda s: pl.Series(fills_in_millisecond(*(x.to_numpy() for x in s))),
        return_dtype=pl.UInt32,
    )


@derived
def buyer_before(buyer: pl.Expr, qty: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Quantity that the buyer had bought before in the window; -1 for its first trade."""
    return amount_before(buyer, qty, window)


@derived
def seller_before(seller: pl.Expr, qty: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Quantity that the seller had sold before in the window; -1 for its first trade."""
    return amount_before(seller, qty, window)


@feature(unit="trades", direction="high", silent=0, scale="ratio")
def count() -> pl.Expr:
    """Number of trades."""
    return pl.len()


@feature(unit="base", direction="high", silent=0, scale="ratio")
def volume(qty: pl.Expr) -> pl.Expr:
    """Quantity traded, in the base currency."""
    return qty.sum()


@feature(unit="quote", direction="high", silent=0, scale="ratio")
def notional(paid: pl.Expr) -> pl.Expr:
    """Value traded, in the quote currency."""
    return paid.sum()


@feature(unit="quote", scale="ratio")
def vwap(paid: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Volume-weighted average price."""
    return paid.sum() / qty.sum()


@feature(unit="log", silent=0)
def price_return(log_change: pl.Expr) -> pl.Expr:
    """Logarithm of the last price over the last price before the window."""
    return log_change.sum()


@feature(unit="log", direction="high", silent=0, scale="ratio")
def price_range(price: pl.Expr) -> pl.Expr:
    """Logarithm of the highest price over the lowest."""
    return (price.max() / price.min()).log()


@feature(unit="log", direction="high", silent=0, scale="ratio", source="Andersen & Bollerslev 1998")
def realised_volatility(log_change: pl.Expr) -> pl.Expr:
    """Root of the sum of squared log price changes from trade to trade."""
    return (log_change * log_change).sum().sqrt()


@feature(unit="quote", direction="high", silent=0, scale="ratio")
def buy_notional(bought: pl.Expr) -> pl.Expr:
    """Value that takers bought, in the quote currency."""
    return bought.sum()


@feature(unit="orders", direction="high", silent=0, scale="ratio", source=RUSH)
def buy_orders(buy_fills: pl.Expr) -> pl.Expr:
    """Market buys, where all fills of one millisecond count as one order."""
    return (buy_fills > 0).sum()


@feature(unit="share", silent=0)
def taker_imbalance(bought: pl.Expr, paid: pl.Expr) -> pl.Expr:
    """Value that takers bought less value they sold, over both: from -1 to 1."""
    return 2 * bought.sum() / paid.sum() - 1


@feature(unit="orders", direction="high", silent=0, scale="ratio", source=RUSH)
def rush_orders(buy_fills: pl.Expr) -> pl.Expr:
    """Milliseconds in which market buys took several fills: orders sent in a rush."""
    return (buy_fills > 1).sum()


@feature(unit="fills", direction="high", silent=0, scale="ratio", source=RUSH)
def rush_order_mean(buy_fills: pl.Expr) -> pl.Expr:
    """Mean number of fills of a rush order; 0 without one."""
    return buy_fills.filter(buy_fills > 1).mean().fill_null(0.0)


@feature(unit="fills", direction="high", silent=0, scale="ratio", source=RUSH)
def rush_order_std(buy_fills: pl.Expr) -> pl.Expr:
    """Standard deviation of the number of fills of a rush order; 0 with fewer than two."""
    return buy_fills.filter(buy_fills > 1).std().fill_null(0.0)


@feature(unit="share", direction="high", silent=0)
def largest_trade_share(paid: pl.Expr) -> pl.Expr:
    """Value of the largest trade over the value of all."""
    return paid.max() / paid.sum()


@feature(unit="accounts", direction="high", silent=0, scale="ratio")
def unique_buyers(buyer_before: pl.Expr) -> pl.Expr:
    """Number of accounts that bought; null where accounts are not known."""
    return pl.when(buyer_before.count() > 0).then((buyer_before < 0).sum())


@feature(unit="accounts", direction="high", silent=0, scale="ratio")
def unique_sellers(seller_before: pl.Expr) -> pl.Expr:
    """Number of accounts that sold; null where accounts are not known."""
    return pl.when(seller_before.count() > 0).then((seller_before < 0).sum())


@feature(unit="share", direction="high", source="Herfindahl-Hirschman index")
def buyer_concentration(buyer_before: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Sum of the squared shares of the quantity by buyer: 1 when one account bought all."""
    return _concentration(buyer_before, qty)


@feature(unit="share", direction="high", source="Herfindahl-Hirschman index")
def seller_concentration(seller_before: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Sum of the squared shares of the quantity by seller: 1 when one account sold all."""
    return _concentration(seller_before, qty)


@feature(unit="s", direction="low", scale="ratio")
def gap_median(gap: pl.Expr) -> pl.Expr:
    """Median time from trade to trade; the first is measured from the last trade before."""
    return gap.median()


@feature(unit="s", direction="high", scale="ratio")
def gap_max(gap: pl.Expr) -> pl.Expr:
    """Longest time from trade to trade."""
    return gap.max()


@feature(unit="share", direction="high", silent=0)
def size_repetition(qty: pl.Expr) -> pl.Expr:
    """Share of trades whose quantity another trade of the window had before."""
    return 1 - qty.n_unique() / pl.len()


@feature(unit="share", direction="high", source="SCENARIOS.md, S6")
def self_match_share(buyer: pl.Expr, seller: pl.Expr, qty: pl.Expr) -> pl.Expr:
    """Share of the quantity that an account traded with itself; null where not known."""
    known = (buyer.is_not_null() & seller.is_not_null()).any()
    return pl.when(known).then((qty * (buyer == seller)).sum() / qty.sum())


def _concentration(before: pl.Expr, qty: pl.Expr) -> pl.Expr:
    # (a + b + c)^2 grows trade by trade: a trade q after p adds q^2 + 2pq to its account's square.
    squares = (qty * (2 * before.clip(lower_bound=0) + qty)).sum()
    total = pl.when(before.is_not_null()).then(qty).sum()
    return pl.when(before.count() > 0).then(squares / total**2)


@kernel(uint32[::1](read(int64), read(boolean), read(boolean)))
def fills_in_millisecond(
    millisecond: NDArray[np.int64], counted: NDArray[np.bool_], first: NDArray[np.bool_]
) -> NDArray[np.uint32]:
    """Counted rows of each run of equal milliseconds, written to the last row of the run."""
    fills = np.zeros(millisecond.size, np.uint32)
    run = 0
    for i in range(millisecond.size):
        if i == 0 or first[i] or millisecond[i] != millisecond[i - 1]:
            run = 0
        run += counted[i]
        last = i + 1 == millisecond.size or first[i + 1]
        if last or millisecond[i] != millisecond[i + 1]:
            fills[i] = run
    return fills


SYMBOL_5S = FeatureView(
    "trades.symbol_5s",
    TRADES,
    ("symbol",),
    timedelta(seconds=5),
    collect(__name__),
    recent=timedelta(seconds=45),
    main=("buy_orders", "buy_notional", "realised_volatility"),
)
SYMBOL_1M = replace(SYMBOL_5S, name="trades.symbol_1m", every=timedelta(minutes=1))
