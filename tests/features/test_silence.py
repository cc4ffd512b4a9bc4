"""An entity that falls silent still has windows, until it is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.extract import extract, last_events
from features.silence import batch_windows, fill_silence, known_entities
from features.trading import SYMBOL_5S

Make = Callable[[list[dict[str, object]]], pl.DataFrame]
Trades = st.SearchStrategy[pl.DataFrame]

EVERY = SYMBOL_5S.every


def starts(windows: pl.DataFrame, entity: str, noon: datetime) -> list[float]:
    """Starts of an entity's windows in seconds after noon."""
    mine = windows.filter(pl.col("entity") == entity)
    return [(start - noon).total_seconds() for start in mine["start"]]


def test_a_known_entity_has_a_window_for_every_stretch_of_silence(
    make_trades: Make, noon: datetime
) -> None:
    rows = [{"at": 1, "symbol": "A"}, {"at": 12, "symbol": "B"}, {"at": 17, "symbol": "A"}]
    windows = batch_windows(SYMBOL_5S, make_trades(rows))
    assert starts(windows, "A", noon) == [0, 5, 10, 15]
    assert starts(windows, "B", noon) == [10, 15]


def test_silence_grows_from_the_last_event(make_trades: Make) -> None:
    rows = [{"at": 1}, {"at": 1.5}, {"at": 17.25}]
    windows = batch_windows(SYMBOL_5S, make_trades(rows))
    assert windows["silence"].to_list() == [3.5, 8.5, 13.5, 2.75]


def test_an_empty_window_holds_the_silent_value_of_each_feature(make_trades: Make) -> None:
    empty = batch_windows(SYMBOL_5S, make_trades([{"at": 1}, {"at": 11}])).row(1, named=True)
    assert {f.name: empty[f.name] for f in SYMBOL_5S.features[:-1]} == {
        f.name: f.silent for f in SYMBOL_5S.features[:-1]
    }
    assert empty["count"] == 0
    assert empty["vwap"] is None


@pytest.mark.parametrize(("seconds", "last"), [(0, 0), (5, 5), (12, 10), (20, 20)])
def test_an_entity_is_forgotten_after_forget_after(
    seconds: int, last: int, make_trades: Make, noon: datetime
) -> None:
    view = replace(SYMBOL_5S, forget_after=timedelta(seconds=seconds))
    windows = batch_windows(view, make_trades([{"at": 4}, {"at": 60, "symbol": "B"}]))
    assert starts(windows, "A", noon) == list(range(0, last + 1, 5))


def test_without_windows_and_without_known_entities_there_is_no_silence(make_trades: Make) -> None:
    nothing = extract(SYMBOL_5S, make_trades([{"at": 0}]).clear())
    assert fill_silence(SYMBOL_5S, nothing) is nothing


def test_entities_heard_of_before_are_silent_from_since_until(
    make_trades: Make, noon: datetime
) -> None:
    before = make_trades([{"at": 1, "symbol": "A"}, {"at": 2, "symbol": "B"}])
    windows = fill_silence(
        SYMBOL_5S,
        extract(SYMBOL_5S, make_trades([{"at": 21, "symbol": "B"}])),
        known=known_entities(SYMBOL_5S, last_events(SYMBOL_5S, before)),
        since=noon + timedelta(seconds=10),
        until=noon + timedelta(seconds=25),
    )
    assert starts(windows, "A", noon) == [10, 15, 20]
    assert starts(windows, "B", noon) == [10, 15, 20]
    assert windows["silence"].to_list() == [14, 13, 19, 18, 24, 4]


def test_known_entities_say_when_each_was_last_heard(make_trades: Make, noon: datetime) -> None:
    (row,) = known_entities(SYMBOL_5S, make_trades([{"at": 7.5}])).rows()
    us = round(noon.timestamp() * 1e6)
    assert row == ("A", us + 5_000_000, us + 7_500_000)


@given(
    data=st.data(),
    forget_after=st.sampled_from([timedelta(seconds=s) for s in (0, 5, 12, 20, 86_400)]),
)
def test_windows_of_a_history_are_those_that_plain_loops_find(
    data: st.DataObject, forget_after: timedelta, trades: Trades
) -> None:
    view = replace(SYMBOL_5S, forget_after=forget_after)
    events = data.draw(trades)
    heard: dict[tuple[str, datetime], datetime] = {}
    for symbol, at in events.select("symbol", "ts").iter_rows():
        heard[symbol, at - timedelta(seconds=at.second % 5, microseconds=at.microsecond)] = at
    end = max(start for _, start in heard)
    expected = {}
    for symbol in {symbol for symbol, _ in heard}:
        start, last = min(s for e, s in heard if e == symbol), None
        while start <= end:
            if (symbol, start) in heard:
                last, last_start = heard[symbol, start], start
            if last is not None and start - last_start <= forget_after:
                expected[start, symbol] = (start + EVERY - last).total_seconds()
            start += EVERY

    windows = batch_windows(view, events)

    found = {
        (start, entity): s
        for start, entity, s in windows.select("start", "entity", "silence").rows()
    }
    assert list(found) == sorted(expected)
    assert found == pytest.approx(expected)
