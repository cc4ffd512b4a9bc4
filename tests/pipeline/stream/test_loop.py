"""The loop: any batching gives the same windows as a backfill, once each, whatever fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.catalogue import STREAMS, VIEWS
from features.silence import batch_windows
from features.trading import SYMBOL_1M, SYMBOL_5S, TRADES
from pipeline.lake import Lake
from pipeline.sources.source import Batch, Position, SourceError
from pipeline.stream.loop import Loop, StreamBusyError
from pipeline.stream.options import Options
from tests.streams import AFTER, START, loop_of, made_up, sources_of, write_events


class Given:
    """A source of rows that are at hand, so many at a time; fails when told to."""

    def __init__(self, rows: pl.DataFrame, sizes: list[int], name: str = "given") -> None:
        self.name = name
        self.stream = TRADES
        self.rows = rows
        self.sizes = sizes
        self.failing = 0

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        if self.failing:
            self.failing -= 1
            raise SourceError("told to fail")
        at, number = (position["at"], position["number"]) if position else (0, 0)
        stop = until["at"] if until else at + self.sizes[number % len(self.sizes)]
        rows = self.rows[at:stop]
        after = Position(at=at + len(rows), number=number + 1)
        return Batch(rows, after) if len(rows) else None

    def close(self) -> None: ...


def windows_of(loop: Loop, name: str) -> pl.DataFrame:
    found = loop.lake.windows(name)
    return found.select(*VIEWS[name].schema)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_the_lake_of_a_stream_is_that_of_a_backfill(tmp_path: Path, name: str) -> None:
    write_events(tmp_path / "events", {name: 300})
    loop = loop_of(tmp_path / "home", sources_of(tmp_path / "events", 80))
    assert loop.replay(AFTER) > 3
    events = made_up(STREAMS[name], 300)
    for view in (view for view in VIEWS.values() if view.stream.name == name):
        wanted = batch_windows(view, events)
        assert_frame_equal(windows_of(loop, view.name), wanted, rel_tol=1e-9, abs_tol=1e-9)
        scores = loop.lake.windows(f"scores/{view.name}")
        assert_frame_equal(scores.select("entity", "start"), wanted.select("entity", "start"))
    loop.close()


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.integers(1, 120), min_size=1, max_size=5), st.booleans())
def test_any_batching_gives_the_same_windows(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], again: bool
) -> None:
    rows = made_up(TRADES, 150)
    home = tmp_path_factory.mktemp("home")
    loop = loop_of(home, [Given(rows, sizes)], views=[SYMBOL_5S])
    if again:
        loop.step(AFTER)
        loop.close()
        loop = loop_of(home, [Given(rows, sizes)], views=[SYMBOL_5S])
    loop.replay(AFTER)
    assert_frame_equal(
        windows_of(loop, SYMBOL_5S.name), batch_windows(SYMBOL_5S, rows), rel_tol=1e-9
    )
    loop.close()


def test_several_sources_of_a_stream_make_none_of_their_rows_late(tmp_path: Path) -> None:
    rows = made_up(TRADES, 300)
    halves = [rows.filter(pl.col("id") % 3 == 0), rows.filter(pl.col("id") % 3 > 0)]
    sources = [Given(halves[0], [90], "few"), Given(halves[1], [40], "many")]
    loop = loop_of(tmp_path, sources, views=[SYMBOL_5S])
    loop.replay(AFTER)
    state = loop.checkpoint.state()
    assert state.views[SYMBOL_5S.name].late == 0
    assert state.views[SYMBOL_5S.name].accepted == 300
    assert_frame_equal(
        windows_of(loop, SYMBOL_5S.name), batch_windows(SYMBOL_5S, rows), rel_tol=1e-9
    )
    loop.close()


def test_every_row_is_accepted_refused_late_or_from_the_future(tmp_path: Path) -> None:
    rows = made_up(TRADES, 200)
    now = rows["ts"][-1]
    spoilt = rows.with_columns(
        price=pl.when(pl.col("id") == 7).then(-1.0).otherwise("price"),
        ts=pl.when(pl.col("id") == 150)
        .then(pl.lit(START))
        .when(pl.col("id") == 20)
        .then(pl.lit(now + timedelta(hours=1)))
        .otherwise("ts"),
    )
    loop = loop_of(tmp_path, [Given(spoilt, [50])], views=[SYMBOL_5S, SYMBOL_1M])
    loop.replay(now)
    state = loop.checkpoint.state()
    source = state.sources["given"]
    assert (source.given, source.refused, source.future) == (200, 1, 1)
    for view in (SYMBOL_5S, SYMBOL_1M):
        counted = state.views[view.name]
        assert counted.late == 1
        assert counted.accepted + counted.late + source.refused + source.future == source.given
    aside = loop.lake.scan("aside/trades").collect().sort("kind", "entity")
    assert aside.select("kind", "entity", "reason", "field").rows() == [
        ("future", "given", "ahead of the clock", None),
        ("late", SYMBOL_1M.name, "window was closed", None),
        ("late", SYMBOL_5S.name, "window was closed", None),
        ("refused", "given", "out_of_range", "price"),
    ]
    assert all('"id":"150"' in row for row in aside.filter(kind="late")["row"])
    loop.close()


def test_rows_that_are_no_events_at_all_stop_nothing(tmp_path: Path) -> None:
    rows = made_up(TRADES, 40)
    nonsense = pl.DataFrame({"ts": [[1], [2]], "price": [{"a": 1}, None], "odd": ["x", "y"]})

    class Mixed(Given):
        def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
            batch = super().read(position, until=until)
            first = position is None and batch is not None
            return Batch(nonsense, batch.position) if first and batch is not None else batch

    loop = loop_of(tmp_path, [Mixed(rows, [20])], views=[SYMBOL_5S])
    loop.replay(AFTER)
    state = loop.checkpoint.state()
    assert state.sources["given"].refused == 2
    assert state.views[SYMBOL_5S.name].accepted == 20
    loop.close()


def test_a_source_that_fails_is_tried_again_later_and_stops_no_other(tmp_path: Path) -> None:
    rows = made_up(TRADES, 100)
    bad, good = Given(rows[:50], [50], "bad"), Given(rows[50:], [10], "good")
    said: list[str] = []
    loop = loop_of(tmp_path, [bad, good], views=[SYMBOL_5S], report=said.append)
    bad.failing = 2
    assert loop.step(AFTER)
    fault = loop.checkpoint.state().faults["bad"]
    assert (fault["error"], fault["failures"]) == ("told to fail", 1)
    assert loop.checkpoint.state().sources["good"].given == 10
    # Left alone until its time, then tried again, later and later.
    loop.step(AFTER)
    assert bad.failing == 1
    loop.step(AFTER + timedelta(seconds=2))
    assert bad.failing == 0
    assert loop.checkpoint.state().faults["bad"]["failures"] == 2
    loop.step(AFTER + timedelta(minutes=1))
    assert loop.checkpoint.state().faults == {}
    assert said[-1] == "source bad: works again"
    assert loop.checkpoint.state().sources["bad"].given == 50
    loop.close()


def test_windows_close_when_no_event_comes_for_the_idle_timeout(tmp_path: Path) -> None:
    rows = made_up(TRADES, 60)
    last = rows["ts"].max()
    assert isinstance(last, datetime)
    loop = loop_of(tmp_path, [Given(rows, [60])], views=[SYMBOL_5S])
    assert loop.step(last)
    before = len(windows_of(loop, SYMBOL_5S.name))
    assert not loop.step(last + timedelta(seconds=20))
    assert loop.step(last + timedelta(seconds=50))
    after = windows_of(loop, SYMBOL_5S.name)
    assert len(after) > before
    # 30 seconds of the timeout and 5 of lateness before the clock.
    assert after["end"].max() <= last + timedelta(seconds=15)
    assert not loop.step(last + timedelta(seconds=50))
    loop.close()


class Kept:
    """A sink that writes what it is given into the checkpoint's own database."""

    def __init__(self) -> None:
        self.failing = 0
        self.explained = 0

    def take(self, connection: Any, view: Any, windows: Any, scores: Any, explained: Any, *,
             now: datetime) -> None:  # fmt: skip
        connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS kept (entity TEXT, start TEXT)")
        for entity, start in windows.select("entity", pl.col("start").cast(pl.String)).rows():
            connection.exec_driver_sql(f"INSERT INTO kept VALUES ('{entity}', '{start}')")
        assert len(windows) == len(scores)
        self.explained += len(explained)
        if self.failing:
            self.failing -= 1
            raise OSError("told to fail")


def test_what_a_sink_writes_stands_or_falls_with_the_step(tmp_path: Path) -> None:
    rows, sink = made_up(TRADES, 200), Kept()
    loop = loop_of(tmp_path, [Given(rows, [50])], views=[SYMBOL_5S], sink=sink)
    sink.failing = 1
    with pytest.raises(OSError, match="told to fail"):
        loop.replay(AFTER)
    assert loop.checkpoint.state().intent is not None
    assert loop.checkpoint.state().step == 0
    loop.replay(AFTER)
    assert loop.checkpoint.state().intent is None
    with loop.checkpoint.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT entity, start FROM kept").fetchall()
    wanted = windows_of(loop, SYMBOL_5S.name).select("entity", pl.col("start").cast(pl.String))
    assert sorted(map(tuple, kept)) == sorted(wanted.rows())
    loop.close()


def test_two_processes_do_not_run_one_loop(tmp_path: Path) -> None:
    loop = loop_of(tmp_path, [Given(made_up(TRADES, 10), [5])])
    with pytest.raises(StreamBusyError, match="another process runs the loop"):
        loop_of(tmp_path, [Given(made_up(TRADES, 10), [5])])
    loop.close()
    loop_of(tmp_path, [Given(made_up(TRADES, 10), [5])]).close()


def test_a_running_loop_gets_over_a_step_that_fails_and_stops_when_told(tmp_path: Path) -> None:
    rows, sink, stop = made_up(TRADES, 100), Kept(), Event()
    sink.failing = 1
    said: list[str] = []

    def report(line: str) -> None:
        said.append(line)
        if line == "the loop goes on":
            stop.set()

    loop = loop_of(tmp_path, [Given(rows, [100])], views=[SYMBOL_5S], sink=sink, report=report)
    loop.run(lambda: AFTER, stop)
    assert said[0].startswith("a step failed and will be done again in")
    assert loop.checkpoint.state().step == 1
    assert Lake(tmp_path / "lake").windows(SYMBOL_5S.name).height > 0
    loop.close()


def test_news_end_a_rest(tmp_path: Path) -> None:
    class Told(Given):
        looked = Event()

        def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
            self.looked.set()
            return super().read(position, until=until)

    source, stop, news = Told(made_up(TRADES, 10), [10]), Event(), Event()
    options = Options(rest=timedelta(hours=1), ask_models_every=timedelta(hours=1))
    loop = loop_of(tmp_path, [source], views=[SYMBOL_5S], options=options)
    while loop.step(AFTER):
        pass
    running = Thread(target=loop.run, args=(lambda: AFTER, stop, news))
    source.looked.clear()
    running.start()
    try:
        for _ in range(3):
            assert source.looked.wait(300)
            source.looked.clear()
            news.set()
    finally:
        stop.set()
        news.set()
        running.join()
    loop.close()
