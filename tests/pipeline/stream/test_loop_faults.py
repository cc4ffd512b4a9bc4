"""What fails below the loop is a step to be done again, and the end is the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S, TRADES
from pipeline.sources.files import FileSource
from pipeline.sources.source import Batch, Position, SourceError
from pipeline.stream.loop import FAILURES
from tests.crash import full_disk
from tests.streams import AFTER, loop_of, made_up, sources_of, write_events


def test_a_full_disk_is_a_step_to_be_done_again(tmp_path: Path) -> None:
    write_events(tmp_path / "events", {"trades": 300})
    undisturbed = loop_of(tmp_path / "undisturbed", sources_of(tmp_path / "events", 60))
    undisturbed.replay(AFTER)
    undisturbed.close()
    loop = loop_of(tmp_path / "home", sources_of(tmp_path / "events", 60))
    for _ in range(3):
        loop.step(AFTER)
        with full_disk(), pytest.raises(FAILURES):
            loop.step(AFTER)
    loop.replay(AFTER)
    for table in undisturbed.lake.tables():
        ours, theirs = (
            x.lake.scan(table).collect().sort("start", "entity", "end") for x in (loop, undisturbed)
        )
        assert_frame_equal(ours, theirs, check_exact=True)
    assert loop.checkpoint.state() == undisturbed.checkpoint.state()
    loop.close()


def test_a_source_that_works_when_the_loop_begins_again_fails_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    for failing in (True, False):
        loop = loop_of(tmp_path / "home", [FileSource("t", TRADES, folder)], views=[SYMBOL_5S])
        loop.step(AFTER)
        assert ("t" in loop.checkpoint.state().faults) is failing
        loop.close()
        loop.checkpoint.close()
        folder.mkdir(exist_ok=True)


def test_a_truncated_file_is_put_aside_and_the_loop_goes_on(tmp_path: Path) -> None:
    rows = made_up(TRADES, 90)
    for i in range(3):
        rows[30 * i : 30 * i + 30].write_parquet(tmp_path / f"{i}.parquet")
    file = tmp_path / "1.parquet"
    file.write_bytes(file.read_bytes()[:-9])
    loop = loop_of(tmp_path / "home", [FileSource("t", TRADES, tmp_path)], views=[SYMBOL_5S])
    loop.replay(AFTER)
    assert loop.checkpoint.state().views[SYMBOL_5S.name].accepted == 60
    aside = loop.lake.scan("aside/trades").collect()
    assert aside.select("kind", "row").rows() == [("refused", "1.parquet: the file")]
    loop.close()


def test_what_happens_while_a_slow_source_fails_is_not_from_the_future(tmp_path: Path) -> None:
    now = [AFTER]

    class Slow(FileSource):
        def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
            now[0] += timedelta(minutes=5)
            raise SourceError("no answer")

    events = made_up(TRADES, 3).with_columns(ts=pl.lit(AFTER + timedelta(minutes=4)))
    events.write_ndjson(tmp_path / "fresh.jsonl")
    sources = [
        Slow("slow", TRADES, tmp_path),
        FileSource("fresh", TRADES, tmp_path / "fresh.jsonl"),
    ]
    loop = loop_of(tmp_path / "home", sources, views=[SYMBOL_5S])
    assert loop.step(now[0], clock=lambda: now[0])
    told = loop.checkpoint.state().sources["fresh"]
    assert (told.given, told.refused, told.future) == (3, 0, 0)
    loop.close()
