"""Whatever the batches and the order within the lateness: the same windows, and each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.silence import batch_windows
from features.trading import SYMBOL_5S
from features.view import FeatureView
from features.windows import Closed, Windower, WindowerState

Assert = Callable[[pl.DataFrame, pl.DataFrame], None]
Make = Callable[[list[dict[str, object]]], pl.DataFrame]
Trades = st.SearchStrategy[pl.DataFrame]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def seconds(*values: float) -> st.SearchStrategy[timedelta]:
    return st.sampled_from([timedelta(seconds=v) for v in values])


VIEWS = st.builds(
    lambda lateness, forget_after: replace(SYMBOL_5S, lateness=lateness, forget_after=forget_after),
    seconds(0, 2, 5, 7.5),
    seconds(0, 5, 12, 20, 86_400),
)


def delayed(draw: st.DrawFn, events: pl.DataFrame, most: timedelta) -> pl.DataFrame:
    """The events in an order of arrival, each at most so long after its time."""
    n = len(events)
    tenths = draw(st.lists(st.sampled_from([0, 0, 1, 4, 10]), min_size=n, max_size=n))
    arrival = events["ts"] + pl.Series(tenths, dtype=pl.Int64) * (most / 10)
    return events.select(pl.all().sort_by(arrival, maintain_order=True))


def cut(draw: st.DrawFn, events: pl.DataFrame) -> list[pl.DataFrame]:
    """The events in batches; some of them may be empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=8)))
    edges = [0, *cuts, len(events)]
    return [events[a:b] for a, b in pairwise(edges)]


def run(windower: Windower, batches: list[pl.DataFrame], now: datetime) -> Closed:
    """All that comes out of the batches and the end of the history."""
    steps = [*(windower.push(batch, now) for batch in batches), windower.flush()]
    return Closed(
        pl.concat(step.windows for step in steps),
        pl.concat(step.late for step in steps),
        pl.concat(step.future for step in steps),
    )


def checkpointed(state: WindowerState) -> WindowerState:
    """The state after its frames were written and read."""

    def reread(frame: pl.DataFrame) -> pl.DataFrame:
        return pl.read_ipc(frame.write_ipc(None).getvalue())

    return replace(state, pending=reread(state.pending), previous=reread(state.previous))


@pytest.fixture(scope="session")
def now(noon: datetime) -> datetime:
    """A time of arrival after all events: none of them is in the future."""
    return noon + timedelta(days=1)


@settings(max_examples=80)
@given(data=st.data(), view=VIEWS)
def test_any_batches_and_any_order_within_lateness_give_the_windows_of_one_batch(
    data: st.DataObject,
    view: FeatureView,
    trades: Trades,
    now: datetime,
    assert_same_windows: Assert,
) -> None:
    events = data.draw(trades)
    batches = cut(data.draw, delayed(data.draw, events, view.lateness))

    out = run(Windower(view), batches, now)

    assert out.late.is_empty()
    assert_same_windows(out.windows, batch_windows(view, events))


@given(data=st.data(), view=VIEWS)
def test_windower_that_stops_and_resumes_equals_one_that_runs_through(
    data: st.DataObject,
    view: FeatureView,
    trades: Trades,
    now: datetime,
    assert_same_windows: Assert,
) -> None:
    batches = cut(data.draw, delayed(data.draw, data.draw(trades), timedelta(seconds=10)))
    through = run(Windower(view), batches, now)

    stop = data.draw(st.integers(0, len(batches)))
    before = Windower(view)
    first = [before.push(batch, now) for batch in batches[:stop]]
    rest = run(Windower(view, state=checkpointed(before.state)), batches[stop:], now)

    assert_same_windows(pl.concat([*(c.windows for c in first), rest.windows]), through.windows)
    assert pl.concat([*(c.late for c in first), rest.late]).equals(through.late)


@given(data=st.data(), view=VIEWS)
def test_late_rows_and_windows_do_not_depend_on_batch_cuts(
    data: st.DataObject,
    view: FeatureView,
    trades: Trades,
    now: datetime,
    assert_same_windows: Assert,
) -> None:
    arrived = delayed(data.draw, data.draw(trades), timedelta(seconds=40))

    whole = run(Windower(view), [arrived], now)
    cuts = run(Windower(view), cut(data.draw, arrived), now)

    assert cuts.late.equals(whole.late)
    assert_same_windows(cuts.windows, whole.windows)
    on_time = arrived.join(whole.late, on="id", how="anti")
    assert_same_windows(whole.windows, batch_windows(view, on_time))


@given(data=st.data(), view=VIEWS)
def test_a_row_is_late_when_its_window_had_closed(
    data: st.DataObject, view: FeatureView, trades: Trades, now: datetime
) -> None:
    arrived = delayed(data.draw, data.draw(trades), timedelta(seconds=40))
    late, newest = [], EPOCH
    for number, at in arrived.select("id", "ts").iter_rows():
        end = at - (at - EPOCH) % view.every + view.every
        if newest - view.lateness >= end:
            late.append(number)
        newest = max(newest, at)

    out = run(Windower(view), cut(data.draw, arrived), now)

    assert out.late["id"].to_list() == late


@given(data=st.data(), view=VIEWS)
def test_counted_plus_late_plus_future_is_given(
    data: st.DataObject, view: FeatureView, trades: Trades, noon: datetime
) -> None:
    events = data.draw(trades)
    windower = Windower(view)
    batches = cut(data.draw, delayed(data.draw, events, timedelta(seconds=40)))
    clocks = data.draw(st.lists(st.integers(0, 120), min_size=len(batches), max_size=len(batches)))

    steps = [
        windower.push(batch, noon + timedelta(seconds=clock))
        for batch, clock in zip(batches, clocks, strict=True)
    ]
    steps.append(windower.flush())

    counted = sum(step.windows["count"].sum() for step in steps)
    aside = sum(len(step.late) + len(step.future) for step in steps)
    assert counted + aside == len(events)


def histories(data: st.DataObject, windower: Windower, events: pl.DataFrame) -> Iterator[Closed]:
    """Steps of every kind in any order."""
    clock = events["ts"].min()
    for batch in cut(data.draw, delayed(data.draw, events, timedelta(seconds=40))):
        clock += timedelta(seconds=data.draw(st.integers(0, 60)))
        step = data.draw(st.sampled_from(["push", "push", "push", "advance", "flush"]))
        yield windower.push(batch, clock)
        if step == "advance":
            yield windower.advance(clock + timedelta(seconds=data.draw(st.integers(0, 90))))
        elif step == "flush":
            yield windower.flush()
    yield windower.flush()


@given(data=st.data(), view=VIEWS)
def test_watermark_never_goes_back(data: st.DataObject, view: FeatureView, trades: Trades) -> None:
    windower = Windower(view)
    newest = closed = EPOCH
    for _ in histories(data, windower, data.draw(trades)):
        assert (windower.state.newest or EPOCH) >= newest
        assert (windower.state.closed_until or EPOCH) >= closed
        newest = windower.state.newest or EPOCH
        closed = windower.state.closed_until or EPOCH


@given(data=st.data(), view=VIEWS)
def test_each_window_comes_once_in_order_of_start_and_entity(
    data: st.DataObject, view: FeatureView, trades: Trades
) -> None:
    steps = histories(data, Windower(view), data.draw(trades))
    keys = [key for step in steps for key in step.windows.select("start", "entity").iter_rows()]
    assert all(a < b for a, b in pairwise(keys))


@given(data=st.data(), view=VIEWS)
def test_windows_close_no_earlier_than_lateness_after_their_end(
    data: st.DataObject, view: FeatureView, trades: Trades, now: datetime
) -> None:
    arrived = delayed(data.draw, data.draw(trades), timedelta(seconds=40))
    windower, newest = Windower(view), EPOCH
    for batch in cut(data.draw, arrived):
        newest = max(newest, *batch["ts"].to_list(), EPOCH)
        closed = windower.push(batch, now).windows
        assert all(end + view.lateness <= newest for end in closed["end"])
        behind = windower.state.pending["ts"] if len(batch) else ()
        assert all(at >= (windower.state.closed_until or EPOCH) for at in behind)


def test_a_window_closes_at_the_very_instant_lateness_is_over(
    make_trades: Make, now: datetime
) -> None:
    windower = Windower(SYMBOL_5S)
    windower.push(make_trades([{"at": 0}]), now)
    assert windower.push(make_trades([{"at": 9.999_999}]), now).windows.is_empty()
    assert windower.push(make_trades([{"at": 10}]), now).windows["start"].len() == 1


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
    windower.advance(noon + timedelta(seconds=42))
    assert windower.state.newest == noon + timedelta(seconds=12)


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
    assert windower.state == WindowerState(windower.state.pending, windower.state.previous)


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
