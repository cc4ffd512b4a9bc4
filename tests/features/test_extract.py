"""Windows are a function of the events, not of their order; and each knows what came before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.extract import counting_order, entity_name, extract, in_order, last_events
from features.trading import SYMBOL_5S
from features.view import FeatureView, derived, feature

Assert = Callable[[pl.DataFrame, pl.DataFrame], None]
Make = Callable[[list[dict[str, object]]], pl.DataFrame]
Trades = st.SearchStrategy[pl.DataFrame]

ORDER = ["symbol", "ts", "id"]


def same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)


@given(data=st.data())
def test_the_order_of_rows_changes_nothing(data: st.DataObject, trades: Trades) -> None:
    events = data.draw(trades)
    shuffled = data.draw(st.permutations(range(len(events))))
    same(extract(SYMBOL_5S, events[shuffled]), extract(SYMBOL_5S, events))


@given(data=st.data())
def test_sources_in_order_and_out_of_order_go_different_ways_to_the_same_windows(
    data: st.DataObject, trades: Trades
) -> None:
    events = data.draw(trades)
    by_entity = events.sort(ORDER)  # nothing to move
    by_time = events.sort("ts", "id")  # counting sort
    backwards = by_entity.reverse()  # comparison sort
    same(extract(SYMBOL_5S, by_time), extract(SYMBOL_5S, by_entity))
    same(extract(SYMBOL_5S, backwards), extract(SYMBOL_5S, by_entity))


def test_ids_order_events_of_one_instant(make_trades: Make) -> None:
    up = make_trades([{"at": 1, "id": 1, "price": 2.0}, {"at": 1, "id": 2, "price": 8.0}])
    down = make_trades([{"at": 1, "id": 2, "price": 2.0}, {"at": 1, "id": 1, "price": 8.0}])
    assert extract(SYMBOL_5S, up)["price_return"].item() == pytest.approx(np.log(4))
    assert extract(SYMBOL_5S, down)["price_return"].item() == pytest.approx(-np.log(4))


def test_windows_are_half_open_and_aligned_to_the_epoch(make_trades: Make, noon: datetime) -> None:
    windows = extract(SYMBOL_5S, make_trades([{"at": at} for at in (0, 4.999_999, 5, 12)]))
    assert windows["count"].to_list() == [2, 1, 1]
    assert windows["start"].to_list() == [noon + timedelta(seconds=s) for s in (0, 5, 10)]
    assert windows["end"].to_list() == [noon + timedelta(seconds=s) for s in (5, 10, 15)]


@given(data=st.data())
def test_windows_come_in_the_schema_of_the_view_by_start_and_entity(
    data: st.DataObject, trades: Trades
) -> None:
    events = data.draw(trades)
    windows = extract(SYMBOL_5S, events)
    assert windows.schema == dict(SYMBOL_5S.schema)
    keys = windows.select("start", "entity").rows()
    assert keys == sorted(set(keys))
    assert windows["count"].sum() == len(events)


def test_no_events_no_windows(make_trades: Make) -> None:
    events = make_trades([{"at": 0}])
    assert extract(SYMBOL_5S, events.clear()).schema == dict(SYMBOL_5S.schema)
    assert extract(SYMBOL_5S, events.clear(), previous=events).is_empty()


def test_an_entity_alone_is_measured_as_it_is_among_others(make_trades: Make) -> None:
    rows = [{"at": at, "symbol": s, "price": 1.0 + at} for at in (0, 3, 6) for s in "AB"]
    events = make_trades(rows)
    among = extract(SYMBOL_5S, events)
    for symbol in "AB":
        alone = extract(SYMBOL_5S, events.filter(pl.col("symbol") == symbol))
        same(alone, among.filter(pl.col("entity") == symbol))


@given(symbols=st.lists(st.text(max_size=5), min_size=1, max_size=8))
def test_any_text_can_name_an_entity(symbols: list[str], make_trades: Make) -> None:
    rows = [{"at": 1, "symbol": s, "buyer": s[::-1], "seller": s} for s in symbols]
    windows = extract(SYMBOL_5S, make_trades(rows))
    assert dict(windows.select("entity", "count").iter_rows()) == {
        s: symbols.count(s) for s in symbols
    }
    assert dict(windows.select("entity", "self_match_share").iter_rows()) == {
        s: float(s == s[::-1]) for s in symbols
    }


def test_an_entity_of_several_columns_is_joined_by_a_bar(make_trades: Make) -> None:
    view = replace(SYMBOL_5S, entity=("symbol", "side"))
    rows = [{"at": 0}, {"at": 1, "side": "sell"}, {"at": 2}]
    windows = extract(view, make_trades(rows))
    assert windows.select("entity", "count", "gap_max").rows() == [
        ("A|buy", 2, 2),
        ("A|sell", 1, None),
    ]


def test_no_two_entities_of_several_columns_share_a_name() -> None:
    view = replace(SYMBOL_5S, entity=("symbol", "buyer"))
    pairs = [("a|b", "c"), ("a", "b|c"), ("a\\", "b"), ("a", "\\b"), ("a\\|", "b"), ("a", "|b")]
    frame = pl.DataFrame(pairs, schema=["symbol", "buyer"], orient="row")
    assert frame.select(entity_name(view)).to_series().n_unique() == len(pairs)


@given(data=st.data())
def test_with_the_event_before_a_part_of_history_gives_its_part_of_the_windows(
    data: st.DataObject, trades: Trades, assert_same_windows: Assert
) -> None:
    events = data.draw(trades)
    starts = events["ts"].dt.truncate("5s")
    cut = data.draw(st.sampled_from(starts.to_list()))

    part = extract(
        SYMBOL_5S,
        events.filter(starts >= cut),
        previous=last_events(SYMBOL_5S, events.filter(starts < cut)),
    )

    assert_same_windows(part, extract(SYMBOL_5S, events).filter(pl.col("start") >= cut))


def test_the_event_before_belongs_to_no_window(make_trades: Make) -> None:
    previous = make_trades([{"at": -3, "symbol": "A"}, {"at": -3, "symbol": "B"}])
    windows = extract(SYMBOL_5S, make_trades([{"at": 1, "symbol": "A"}]), previous=previous)
    assert windows.select("entity", "count", "gap_max").rows() == [("A", 1, 4)]


def test_the_event_before_is_of_the_same_entity(make_trades: Make) -> None:
    rows = [{"at": 1, "symbol": "A", "price": 5.0}, {"at": 2, "symbol": "B", "price": 7.0}]
    windows = extract(SYMBOL_5S, make_trades(rows))
    assert windows["price_return"].to_list() == [0, 0]
    assert windows["gap_max"].to_list() == [None, None]


@pytest.mark.parametrize(("seconds", "remembered"), [(20, True), (25, False)])
def test_an_entity_silent_for_longer_than_forget_after_begins_anew(
    seconds: int, remembered: bool, make_trades: Make
) -> None:
    view = replace(SYMBOL_5S, forget_after=timedelta(seconds=20))
    windows = extract(view, make_trades([{"at": 4.5}, {"at": seconds + 0.5}]))
    assert windows["gap_max"].to_list() == [None, seconds - 4 if remembered else None]


def test_the_last_event_of_an_entity_is_last_in_its_total_order(make_trades: Make) -> None:
    rows = [
        {"at": 2, "id": 9, "symbol": "A"},
        {"at": 3, "id": 5, "symbol": "A"},
        {"at": 3, "id": 4, "symbol": "A"},
        {"at": 1, "id": 7, "symbol": "B"},
    ]
    last = last_events(SYMBOL_5S, make_trades(rows))
    assert last.select("symbol", "id").rows() == [("A", 5), ("B", 7)]


def test_equal_texts_are_equal_also_across_columns_and_words_stay_words(make_trades: Make) -> None:
    @derived
    def own(symbol: pl.Expr, buyer: pl.Expr) -> pl.Expr:
        """Whether the buyer is called as the symbol is."""
        return symbol == buyer

    @feature(unit="trades")
    def owned(own: pl.Expr, side: pl.Expr) -> pl.Expr:
        """Number of sales to the symbol itself."""
        return (own & (side == "sell")).sum()

    view = FeatureView("v", SYMBOL_5S.stream, ("symbol",), timedelta(seconds=5), (own, owned))
    rows = [
        {"at": 1, "buyer": "B"},
        {"at": 1, "buyer": "A", "side": "sell"},
        {"at": 1, "symbol": "B", "buyer": "B"},
        {"at": 1, "symbol": "B", "side": "sell"},
    ]
    assert extract(view, make_trades(rows)).select("entity", "owned").rows() == [("A", 1), ("B", 0)]


KEYS = st.lists(st.integers(0, 4), max_size=20).map(lambda keys: np.array(keys, np.uint32))


@given(keys=KEYS)
def test_counting_order_is_a_stable_sort(keys: np.ndarray) -> None:
    order = counting_order(keys, 5)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()


@given(rows=st.lists(st.tuples(*[st.integers(0, 2)] * 3), max_size=4))
def test_in_order_says_whether_rows_rise_by_entity_time_and_id(
    rows: list[tuple[int, int, int]],
) -> None:
    columns = np.array(rows, np.int64).reshape(-1, 3)
    entity, at, ids = np.ascontiguousarray(columns.T)
    assert in_order(entity, at, ids) == (rows == sorted(rows))
