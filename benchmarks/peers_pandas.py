"""The features of ``trades.symbol_1m`` as a pandas user writes them: sort once, then group by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

__all__ = ["prepare", "windows"]


def prepare(events: pl.DataFrame) -> pd.DataFrame:
    """Trades as pandas likes them: texts are categories, both account columns share theirs."""
    frame = events.with_columns(pl.col("ts").dt.replace_time_zone(None)).to_pandas()
    accounts = pd.CategoricalDtype(pd.unique(pd.concat([frame["buyer"], frame["seller"]])))
    types = {"symbol": "category", "side": "category", "buyer": accounts, "seller": accounts}
    return frame.astype(types)


def windows(trades: pd.DataFrame) -> pd.DataFrame:
    """One row for each symbol and minute with a trade, sorted by (start, entity).

    Trades come in the order of their times and ids, which the stable sort relies on.
    """
    df = trades.sort_values("symbol", kind="stable")
    symbol, us = df["symbol"].cat.codes.to_numpy(), df["ts"].to_numpy().view(np.int64)
    first = np.r_[True, symbol[1:] != symbol[:-1]]
    minute = us // 60_000_000
    # Rows are in order: numbers of runs are cheaper keys than (symbol, time).
    window = np.cumsum(first | (minute != np.r_[-1, minute[:-1]]))
    price, qty = df["price"].to_numpy(), df["qty"].to_numpy()
    buy = (df["side"] == "buy").to_numpy()
    paid = price * qty
    log_change = np.where(first, 0.0, np.log(price / np.r_[price[0], price[:-1]]))
    df = pd.DataFrame(
        {
            "window": window,
            "symbol": df["symbol"],
            "ts": df["ts"],
            "price": price,
            "qty": qty,
            "buyer": df["buyer"],
            "seller": df["seller"],
            "paid": paid,
            "bought": paid * buy,
            "log_change": log_change,
            "squared": log_change**2,
            "gap": np.where(first, np.nan, np.diff(us, prepend=us[0]) / 1e6),
            "self_matched": qty * (df["buyer"] == df["seller"]).to_numpy(),
        }
    )
    by = df.groupby("window", sort=False)
    w = by.agg(
        entity=("symbol", "first"),
        last=("ts", "last"),
        count=("qty", "size"),
        volume=("qty", "sum"),
        notional=("paid", "sum"),
        price_return=("log_change", "sum"),
        high=("price", "max"),
        low=("price", "min"),
        squared=("squared", "sum"),
        buy_notional=("bought", "sum"),
        largest=("paid", "max"),
        gap_median=("gap", "median"),
        gap_max=("gap", "max"),
        sizes=("qty", "nunique"),
        self_matched=("self_matched", "sum"),
    )
    orders = pd.DataFrame({"window": window, "ms": us // 1000})[buy].groupby(
        ["window", "ms"], sort=False
    )
    fills = orders.size()
    w["buy_orders"] = fills.groupby(level="window").size()
    rush = fills[fills > 1].groupby(level="window").agg(["size", "mean", "std"])
    w[["rush_orders", "rush_order_mean", "rush_order_std"]] = rush
    counts = ["buy_orders", "rush_orders", "rush_order_mean", "rush_order_std"]
    w[counts] = w[counts].fillna(0.0)
    for account, name in (("buyer", "unique_buyers"), ("seller", "unique_sellers")):
        held = df.groupby(["window", account], sort=False, observed=True)["qty"].sum()
        by_window = held.groupby(level="window")
        w[name] = by_window.size()
        w[f"{account}_concentration"] = (held**2).groupby(level="window").sum() / w["volume"] ** 2
    w["vwap"] = w["notional"] / w["volume"]
    w["price_range"] = np.log(w["high"] / w["low"])
    w["realised_volatility"] = np.sqrt(w["squared"])
    w["taker_imbalance"] = 2 * w["buy_notional"] / w["notional"] - 1
    w["largest_trade_share"] = w["largest"] / w["notional"]
    w["size_repetition"] = 1 - w["sizes"] / w["count"]
    w["self_match_share"] = w["self_matched"] / w["volume"]
    w["start"] = w["last"].dt.floor("min")
    w["silence"] = (w["start"] + pd.Timedelta("1min") - w["last"]).dt.total_seconds()
    return w.sort_values(["start", "entity"], ignore_index=True)
