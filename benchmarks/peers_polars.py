"""The features of ``trades.symbol_1m`` in one lazy Polars query, run by the streaming engine."""

from __future__ import annotations

import polars as pl

__all__ = ["prepare", "windows"]


def prepare(events: pl.DataFrame) -> pl.DataFrame:
    """Trades as Polars likes them: texts are categories."""
    return events.with_columns(pl.col("symbol", "buyer", "seller").cast(pl.Categorical))


def windows(trades: pl.DataFrame) -> pl.DataFrame:
    """One row for each symbol and minute with a trade, sorted by (start, entity).

    Trades come in the order of their times and ids, which the query relies on.
    """
    return _query(trades.lazy()).collect(engine="streaming")


def _query(trades: pl.LazyFrame) -> pl.LazyFrame:
    price, qty, paid, bought = (pl.col(c) for c in ("price", "qty", "paid", "bought"))
    symbol, ts, start, gap = (pl.col(c) for c in ("symbol", "ts", "start", "gap"))
    later = symbol == symbol.shift(1)
    rows = (
        # Any order of symbols will do, and numbers compare faster than names.
        trades.sort(symbol.to_physical(), maintain_order=True)
        .with_columns(
            ts.dt.truncate("1m").alias("start"),
            (price * qty).alias("paid"),
            pl.when(later).then((price / price.shift(1)).log()).alias("change"),
            pl.when(later).then(ts.diff().dt.total_microseconds() / 1e6).alias("gap"),
        )
        # Rows are in order: the number of a window is a cheaper key than (symbol, start).
        .with_columns(
            (later & (start == start.shift(1))).not_().fill_null(True).cum_sum().alias("window"),
            (paid * (pl.col("side") == "buy")).alias("bought"),
        )
    )
    tape = rows.group_by("window").agg(
        symbol.first().cast(pl.String).alias("entity"),
        start.first(),
        pl.len().alias("count"),
        qty.sum().alias("volume"),
        paid.sum().alias("notional"),
        (paid.sum() / qty.sum()).alias("vwap"),
        pl.col("change").sum().alias("price_return"),
        (price.max() / price.min()).log().alias("price_range"),
        (pl.col("change") ** 2).sum().sqrt().alias("realised_volatility"),
        bought.sum().alias("buy_notional"),
        (2 * bought.sum() / paid.sum() - 1).alias("taker_imbalance"),
        (paid.max() / paid.sum()).alias("largest_trade_share"),
        gap.median().alias("gap_median"),
        gap.max().alias("gap_max"),
        (1 - qty.n_unique() / pl.len()).alias("size_repetition"),
        ((qty * (pl.col("buyer") == pl.col("seller"))).sum() / qty.sum()).alias("self_match_share"),
        ts.last().alias("last"),
    )
    orders = rows.filter(pl.col("side") == "buy").group_by("window", ts.dt.truncate("1ms"))
    fills = pl.col("fills")
    rush = fills.filter(fills > 1)
    rushes = (
        orders.agg(pl.len().alias("fills"))
        .group_by("window")
        .agg(
            pl.len().alias("buy_orders"),
            rush.len().alias("rush_orders"),
            rush.mean().alias("rush_order_mean"),
            rush.std().alias("rush_order_std"),
        )
    )
    accounts = [
        rows.group_by("window", account)
        .agg(qty.sum())
        .group_by("window")
        .agg(
            pl.len().alias(f"unique_{account}s"),
            ((qty**2).sum() / qty.sum() ** 2).alias(f"{account}_concentration"),
        )
        for account in ("buyer", "seller")
    ]
    whole = tape
    for part in (rushes, *accounts):
        whole = whole.join(part, on="window", how="left")
    end = start.dt.offset_by("1m")
    return whole.with_columns(
        pl.col("^(buy|rush)_order.*$").fill_null(0),
        ((end - pl.col("last")).dt.total_microseconds() / 1e6).alias("silence"),
    ).sort("start", "entity")
