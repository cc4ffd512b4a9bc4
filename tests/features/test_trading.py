"""Trades: an example that can be checked by head, and the same features in plain loops."""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.extract import extract
from features.trading import SYMBOL_1M, SYMBOL_5S, TRADES
from features.view import FeatureView

Make = Callable[[list[dict[str, object]]], pl.DataFrame]
Trades = st.SearchStrategy[pl.DataFrame]
Windows = dict[tuple[str, datetime], dict[str, float | None]]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LN2 = math.log(2)

ANN_BOB = {"buyer": "ann", "seller": "bob"}
EXAMPLE: list[dict[str, object]] = [
    {"at": -2.0, "price": 50.0, "qty": 9.0, **ANN_BOB},  # the window before
    {"at": 0.0, "price": 100.0, "qty": 1.0, **ANN_BOB},
    {"at": 0.0004, "price": 100.0, "qty": 1.0, "buyer": "ann", "seller": "cid"},
    {"at": 1.0, "price": 200.0, "qty": 2.0, "side": "sell", "buyer": "bob", "seller": "bob"},
    {"at": 3.0, "price": 100.0, "qty": 1.0, **ANN_BOB},
    {"at": 3.0, "price": 100.0, "qty": 1.0, **ANN_BOB},
    {"at": 3.0002, "price": 100.0, "qty": 1.0, "buyer": "dan", "seller": "bob"},
    {"at": 3.0009, "price": 100.0, "qty": 1.0, "buyer": "dan", "seller": "cid"},
]
BY_HEAD = {
    "count": 7,
    "volume": 8,
    "notional": 1000,
    "vwap": 125,
    "price_return": LN2,  # from 50 to 100
    "price_range": LN2,  # 200 over 100
    "realised_volatility": math.sqrt(3) * LN2,  # 50, 100, 200, 100
    "buy_notional": 600,
    "buy_orders": 2,  # at 0 ms and at 3000 ms
    "taker_imbalance": 0.2,  # 600 bought, 400 sold
    "rush_orders": 2,  # of two fills and of four
    "rush_order_mean": 3,
    "rush_order_std": math.sqrt(2),
    "largest_trade_share": 0.4,
    "unique_buyers": 3,
    "unique_sellers": 2,
    "buyer_concentration": (4**2 + 2**2 + 2**2) / 8**2,
    "seller_concentration": (6**2 + 2**2) / 8**2,
    "gap_median": 0.0007,  # 0, .0002, .0004, .0007, .9996, 2, 2
    "gap_max": 2,
    "size_repetition": 5 / 7,  # sizes 1 and 2
    "self_match_share": 0.25,
    "silence": 1.9991,
}


@pytest.mark.parametrize("feature", SYMBOL_5S.names)
def test_each_feature_of_the_example_is_what_one_finds_by_head(
    feature: str, make_trades: Make
) -> None:
    window = extract(SYMBOL_5S, make_trades(EXAMPLE)).row(-1, named=True)
    assert window[feature] == pytest.approx(BY_HEAD[feature], abs=1e-12)


def test_both_views_measure_the_same_features() -> None:
    assert SYMBOL_5S.names == SYMBOL_1M.names


def test_a_first_lone_trade_without_accounts_has_no_gap_and_no_concentration(
    make_trades: Make,
) -> None:
    window = extract(SYMBOL_5S, make_trades([{"at": 1, "price": 3.0}])).row(0, named=True)
    undefined = {name for name, value in window.items() if value is None}
    assert undefined == {
        "gap_median",
        "gap_max",
        "buyer_concentration",
        "seller_concentration",
        "unique_buyers",
        "unique_sellers",
        "self_match_share",
    }
    assert window["price_return"] == window["rush_orders"] == window["rush_order_std"] == 0


def test_a_rush_order_needs_buys_of_one_symbol_in_one_millisecond(make_trades: Make) -> None:
    rows = [
        {"at": 1.0, "symbol": "A"},
        {"at": 1.0, "symbol": "B"},
        {"at": 1.0009, "side": "sell"},
        {"at": 1.001, "symbol": "A"},
        {"at": 2.0, "symbol": "B"},
        {"at": 2.0, "symbol": "B", "side": "sell"},
        {"at": 2.0009, "symbol": "B"},
    ]
    windows = extract(SYMBOL_5S, make_trades(rows))
    assert windows.select("entity", "rush_orders", "rush_order_mean").rows() == [
        ("A", 0, 0),
        ("B", 1, 2),
    ]


def test_accounts_count_anew_in_each_window(make_trades: Make) -> None:
    rows = [{"at": at, **ANN_BOB} for at in (1, 2, 6, 7)]
    windows = extract(SYMBOL_5S, make_trades(rows))
    assert windows["unique_buyers"].to_list() == [1, 1]
    assert windows["seller_concentration"].to_list() == [1, 1]


def test_unknown_accounts_are_left_out_of_accounts_but_not_of_volume(make_trades: Make) -> None:
    rows = [
        {"at": 1, "qty": 3.0, "buyer": "ann"},
        {"at": 2, "qty": 1.0, "buyer": "ann", "seller": "ann"},
        {"at": 3, "qty": 4.0},
    ]
    window = extract(SYMBOL_5S, make_trades(rows)).row(0, named=True)
    assert (window["unique_buyers"], window["buyer_concentration"]) == (1, 1)
    assert window["self_match_share"] == 1 / 8


def naive(view: FeatureView, events: pl.DataFrame) -> Windows:
    """The windows of some trades in plain loops over their definitions."""
    entities: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trade in sorted(events.to_dicts(), key=lambda t: (t["symbol"], t["ts"], t["id"])):
        entities[trade["symbol"]].append(trade)
    return {
        (symbol, start): window
        for symbol, trades in entities.items()
        for start, window in naive_windows(view, trades)
    }


def naive_windows(
    view: FeatureView, trades: list[dict[str, Any]]
) -> Iterator[tuple[datetime, dict[str, float | None]]]:
    groups: dict[datetime, list[dict[str, Any]]] = defaultdict(list)
    for trade in trades:
        groups[trade["ts"] - (trade["ts"] - EPOCH) % view.every].append(trade)
    last, last_start = None, EPOCH
    for start, group in groups.items():
        if start - last_start > view.forget_after:
            last = None
        yield start, naive_features(group, last, start + view.every)
        last, last_start = group[-1], start


def naive_features(
    trades: list[dict[str, Any]], last: dict[str, Any] | None, end: datetime
) -> dict[str, float | None]:
    """Every feature of one window; ``last`` is the trade before it."""
    qty = [t["qty"] for t in trades]
    paid = [t["qty"] * t["price"] for t in trades]
    price = [t["price"] for t in trades]
    chain = trades if last is None else [last, *trades]
    pairs = list(pairwise(chain))
    gaps = [(b["ts"] - a["ts"]).total_seconds() for a, b in pairs]
    buys = Counter(
        (t["ts"] - EPOCH) // timedelta(milliseconds=1) for t in trades if t["side"] == "buy"
    )
    fills = [n for n in buys.values() if n > 1]
    bought, sold = (
        sum(t["qty"] * t["price"] for t in trades if t["side"] == side) for side in ("buy", "sell")
    )
    matched = sum(t["qty"] for t in trades if t["buyer"] and t["buyer"] == t["seller"])
    return {
        "count": len(trades),
        "volume": sum(qty),
        "notional": sum(paid),
        "vwap": sum(paid) / sum(qty),
        "price_return": math.log(trades[-1]["price"] / chain[0]["price"]),
        "price_range": math.log(max(price) / min(price)),
        "realised_volatility": math.hypot(*(math.log(b["price"] / a["price"]) for a, b in pairs)),
        "buy_notional": bought,
        "buy_orders": len(buys),
        "taker_imbalance": (bought - sold) / sum(paid),
        "rush_orders": len(fills),
        "rush_order_mean": statistics.fmean(fills) if fills else 0.0,
        "rush_order_std": statistics.stdev(fills) if len(fills) > 1 else 0.0,
        "largest_trade_share": max(paid) / sum(paid),
        **accounts(trades, "buyer"),
        **accounts(trades, "seller"),
        "gap_median": statistics.median(gaps) if gaps else None,
        "gap_max": max(gaps, default=None),
        "size_repetition": 1 - len(set(qty)) / len(trades),
        "self_match_share": matched / sum(qty)
        if any(t["buyer"] and t["seller"] for t in trades)
        else None,
        "silence": (end - trades[-1]["ts"]).total_seconds(),
    }


def accounts(trades: list[dict[str, Any]], role: str) -> dict[str, float | None]:
    held: dict[str, float] = defaultdict(float)
    for trade in trades:
        if trade[role]:
            held[trade[role]] += trade["qty"]
    total = sum(held.values())
    return {
        f"unique_{role}s": len(held) or None,
        f"{role}_concentration": sum((q / total) ** 2 for q in held.values()) if held else None,
    }


@settings(max_examples=100)
@given(
    data=st.data(),
    every=st.sampled_from([SYMBOL_5S.every, SYMBOL_1M.every, timedelta(milliseconds=700)]),
    forget_after=st.sampled_from([timedelta(0), timedelta(seconds=12), timedelta(days=1)]),
)
def test_every_feature_equals_its_definition_in_plain_loops(
    data: st.DataObject, every: timedelta, forget_after: timedelta, trades: Trades
) -> None:
    view = replace(SYMBOL_5S, every=every, forget_after=forget_after)
    events = data.draw(trades)

    windows = extract(view, events)
    expected = naive(view, events)

    found = {(w["entity"], w["start"]): w for w in windows.iter_rows(named=True)}
    assert found.keys() == expected.keys()
    for key, window in expected.items():
        assert window.keys() == set(view.names)
        for name, value in window.items():
            close = None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)
            assert found[key][name] == close, (key, name)


@pytest.mark.parametrize("column", ["price", "qty"])
def test_a_trade_needs_a_price_and_a_quantity_above_zero(column: str, noon: datetime) -> None:
    row = {"ts": noon, "symbol": "A", "price": 1.0, "qty": 1.0, "side": "buy"} | {column: 0.0}
    assert TRADES.validate(pl.DataFrame([row]), now=noon).refused.counts == {"out_of_range": 1}
