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


@given(lag=st.integers(0, 90), quiet=st.integers(0, 300), asked=st.integers(1, 60))
def test_a_source_that_lags_may_be_quiet_and_none_of_its_events_is_late(
    make_trades: Make, now: datetime, lag: int, quiet: int, asked: int
) -> None:
    windower = Windower(SYMBOL_5S)
    first, second = make_trades([{"at": 0}]), make_trades([{"at": quiet}])
    arrives = first["ts"][0] + timedelta(seconds=lag)
    windower.push(first, arrives)
    for second_of in range(asked, quiet, asked):
        windower.advance(arrives + timedelta(seconds=second_of))
    assert windower.push(second, arrives + timedelta(seconds=quiet)).late.is_empty()


def test_event_time_follows_the_clock_when_nothing_comes(make_trades: Make) -> None:
    windower = Windower(SYMBOL_5S)
    event = make_trades([{"at": 0}])
    arrived = event["ts"][0] + timedelta(seconds=70)
    windower.push(event, arrived)
    # 30 seconds of the timeout, 5 of lateness, 5 of the window.
    assert windower.advance(arrived + timedelta(seconds=39)).windows.is_empty()
    assert len(windower.advance(arrived + timedelta(seconds=40)).windows) == 1
