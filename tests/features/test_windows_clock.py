"""The clock of the windower: the future, idleness, silence, and what it remembers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl
import pytest

from features.trading import SYMBOL_5S
from features.windows import Closed, Windower

Make = Callable[[list[dict[str, object]]], pl.DataFrame]


def run(windower: Windower, batches: list[pl.DataFrame], now: datetime) -> Closed:
    """All that comes out of the batches and the end of the history."""
    steps = [*(windower.push(batch, now) for batch in batches), windower.flush()]
    return Closed(
        pl.concat(step.windows for step in steps),
        pl.concat(step.late for step in steps),
        pl.concat(step.future for step in steps),
    )


@pytest.fixture(scope="session")
def now(noon: datetime) -> datetime:
    """A time of arrival after all events: none of them is in the future."""
    return noon + timedelta(days=1)


def test_a_future_stamped_event_moves_nothing(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 1}]), noon)
    before = windower.state

    out = windower.push(make_trades([{"at": 3600}]), noon + timedelta(seconds=5))

    assert windower.state is before
    assert out.windows.is_empty()
    assert len(out.future) == 1


def test_honest_rows_are_not_late_after_a_future_stamped_event(
    make_trades: Make, noon: datetime
) -> None:
    windower = Windower(SYMBOL_5S)
    mixed = make_trades([{"at": 1}, {"at": 3600}, {"at": 2}])

    first = windower.push(mixed, noon)
    second = windower.push(make_trades([{"at": 3}]), noon)
    last = windower.flush()

    assert first.future["ts"].to_list() == [noon + timedelta(hours=1)]
    assert len(first.late) == len(second.late) == 0
    assert last.windows["count"].to_list() == [3]


def test_an_event_as_far_ahead_as_tolerated_is_believed(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S, future_tolerance=timedelta(seconds=10))
    out = windower.push(make_trades([{"at": 10}, {"at": 10.000_001}]), noon)
    assert len(out.future) == 1
    assert windower.state.newest == noon + timedelta(seconds=10)


def test_future_stamped_events_do_not_keep_an_idle_stream_awake(
    make_trades: Make, noon: datetime
) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 0}]), noon)
    windower.push(make_trades([{"at": 3600}]), noon + timedelta(seconds=50))
    assert len(windower.advance(noon + timedelta(seconds=60)).windows) > 0


def test_before_idle_timeout_time_stands_still(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S, idle_timeout=timedelta(seconds=30))
    windower.push(make_trades([{"at": 0}]), noon)
    before = windower.state
    assert windower.advance(noon + timedelta(seconds=29.9)).windows.is_empty()
    assert windower.state is before


def test_at_idle_timeout_time_goes_on(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S, idle_timeout=timedelta(seconds=30))
    windower.push(make_trades([{"at": 0}]), noon + timedelta(seconds=12))
    # Event time was 12 s behind the clock and stays so.
    closes = noon + timedelta(seconds=12 + 30) + SYMBOL_5S.every + SYMBOL_5S.lateness
    assert windower.advance(closes - timedelta(microseconds=1)).windows.is_empty()
    assert windower.advance(closes).windows["start"].to_list() == [noon]


def test_an_idle_clock_does_not_turn_event_time_back(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S, idle_timeout=timedelta(seconds=30))
    windower.push(make_trades([{"at": 8}]), noon)
    windower.advance(noon + timedelta(seconds=31))
    assert windower.state.newest == noon + timedelta(seconds=8)


def test_a_forgotten_entity_leaves_the_memory(make_trades: Make, noon: datetime) -> None:
    windower = Windower(replace(SYMBOL_5S, forget_after=timedelta(seconds=20)))
    windower.push(make_trades([{"at": 0}]), noon)
    windower.advance(noon + timedelta(seconds=59))
    assert len(windower.state.previous) == 1
    windower.advance(noon + timedelta(seconds=60))
    assert len(windower.state.previous) == 0


def test_after_idle_timeout_the_last_window_closes_and_silence_shows(
    make_trades: Make, noon: datetime
) -> None:
    windower = Windower(SYMBOL_5S, idle_timeout=timedelta(seconds=30))
    windower.push(make_trades([{"at": 1}]), noon + timedelta(seconds=1))

    # Event time is 52 - 30 = 22 s, less 5 s of lateness: windows up to 15 s are over.
    out = windower.advance(noon + timedelta(seconds=52)).windows

    assert out["end"].to_list() == [noon + timedelta(seconds=s) for s in (5, 10, 15)]
    assert out["count"].to_list() == [1, 0, 0]
    assert out["silence"].to_list() == [4, 9, 14]


def test_silence_goes_on_as_the_clock_does_and_no_window_comes_twice(
    make_trades: Make, noon: datetime
) -> None:
    view = replace(SYMBOL_5S, forget_after=timedelta(seconds=20))
    windower = Windower(view)
    windower.push(make_trades([{"at": 1}]), noon)
    steps = [windower.advance(noon + timedelta(seconds=s)).windows for s in range(30, 120, 3)]
    starts = [(start - noon).total_seconds() for step in steps for start in step["start"]]
    assert starts == [0, 5, 10, 15, 20]


def test_events_behind_an_idle_clock_are_late(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 0}]), noon)
    windower.advance(noon + timedelta(seconds=120))
    out = windower.push(make_trades([{"at": 60}, {"at": 119}]), noon + timedelta(seconds=120))
    assert out.late["ts"].to_list() == [noon + timedelta(seconds=60)]


def test_events_behind_a_flush_are_late(make_trades: Make, noon: datetime, now: datetime) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 0}]), now)
    windower.flush()
    out = windower.push(make_trades([{"at": 4}, {"at": 5}]), now)
    assert out.late["ts"].to_list() == [noon + timedelta(seconds=4)]
    assert windower.flush().windows["start"].to_list() == [noon + timedelta(seconds=5)]


def test_a_windower_that_heard_nothing_has_nothing_to_say(noon: datetime) -> None:
    windower = Windower(SYMBOL_5S)
    assert windower.advance(noon).windows.is_empty()
    assert windower.flush().windows.schema == dict(SYMBOL_5S.schema)
    state = windower.state
    assert state.newest is state.closed_until is state.last_arrival is None
    assert len(state.pending) == len(state.previous) == 0


def test_an_empty_batch_changes_nothing(make_trades: Make, noon: datetime) -> None:
    windower = Windower(SYMBOL_5S)
    trades = make_trades([{"at": 0}])
    windower.push(trades, noon)
    before = windower.state
    out = windower.push(trades.clear(), noon + timedelta(days=1))
    assert windower.state is before
    assert out.windows.is_empty()
    assert len(out.late) == len(out.future) == 0


def test_the_last_price_before_a_window_survives_the_batch(
    make_trades: Make, now: datetime
) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 4, "price": 1.0}]), now)
    windower.push(make_trades([{"at": 20, "price": 4.0}]), now)
    out = windower.flush().windows.row(-1, named=True)
    assert out["price_return"] == pytest.approx(1.386_294_361)
    assert out["gap_max"] == 16
