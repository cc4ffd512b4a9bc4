"""Files as a source: every row once, however batches are cut, files grow, or are damaged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.stream import Stream
from features.trading import TRADES
from pipeline.sources.files import FileSource
from pipeline.sources.source import Batch, Position, SourceError
from tests.streams import AFTER, START, made_up

COUNT = 90
Write = Callable[[pl.DataFrame, Path], None]
WRITERS: dict[str, Write] = {
    "parquet": lambda frame, path: frame.write_parquet(path, row_group_size=13),
    "jsonl": lambda frame, path: frame.write_ndjson(path),
    "csv": lambda frame, path: frame.write_csv(path, datetime_format="%+"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "events"
    path.mkdir()
    return path


def fill(folder: Path, kind: str, stream: Stream = TRADES) -> pl.DataFrame:
    events = made_up(stream, COUNT)
    for i in range(3):
        WRITERS[kind](events[30 * i : 30 * i + 30], folder / f"{i}.{kind}")
    (folder / "notes.txt").write_text("not events")
    (folder / f".{kind}.tmp.{kind}").write_text("half")
    return events


def read_all(source: FileSource, position: Position | None = None) -> list[Batch]:
    batches = []
    while (batch := source.read(position)) is not None:
        batches.append(batch)
        position = batch.position
    return batches


def events_of(batches: list[Batch]) -> pl.DataFrame:
    rows = pl.concat([batch.events for batch in batches], how="diagonal_relaxed")
    return TRADES.validate(rows, now=AFTER).events


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("batch", [1, 7, 1000])
@pytest.mark.parametrize("follow", [True, False])
def test_every_row_comes_once_in_order(folder: Path, kind: str, batch: int, follow: bool) -> None:
    events = fill(folder, kind)
    batches = read_all(FileSource("t", TRADES, folder, batch=batch, follow=follow))
    assert len(batches) >= 3
    assert all(batch.refused is None for batch in batches)
    assert_frame_equal(events_of(batches), events)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_batch_that_is_read_again_up_to_its_end_is_the_same(folder: Path, kind: str) -> None:
    fill(folder, kind)
    batches = read_all(FileSource("t", TRADES, folder, batch=8, follow=False))
    # Of another batch size, as after a change of configuration.
    again = FileSource("t", TRADES, folder, batch=1000)
    position = None
    for batch in batches:
        repeated = again.read(position, until=batch.position)
        assert repeated is not None
        assert_frame_equal(repeated.events, batch.events)
        assert repeated.position == batch.position
        position = batch.position


def test_half_a_line_waits_for_its_end(folder: Path) -> None:
    file, source = folder / "a.jsonl", FileSource("t", TRADES, folder)
    lines = made_up(TRADES, 2).write_ndjson().splitlines(keepends=True)
    file.write_text(lines[0] + lines[1][:20])
    first = source.read(None)
    assert first is not None
    assert len(first.events) == 1
    assert source.read(first.position) is None
    file.write_text(lines[0] + lines[1])
    second = source.read(first.position)
    assert second is not None
    assert second.events["id"].to_list() == [1]


def test_a_last_line_without_an_end_counts_once_there_is_a_later_file(folder: Path) -> None:
    lines = made_up(TRADES, 2).write_ndjson()
    (folder / "a.jsonl").write_text(lines.rstrip("\n"))
    assert len(events_of(read_all(FileSource("t", TRADES, folder)))) == 1
    (folder / "b.jsonl").write_text("")
    assert len(events_of(read_all(FileSource("t", TRADES, folder)))) == 2


def test_a_line_break_within_quotes_ends_no_record(folder: Path) -> None:
    events = made_up(TRADES, 6).with_columns(pl.lit('a "b"\nc').alias("buyer"))
    events.write_csv(folder / "a.csv", datetime_format="%+")
    for batch in (1, 100):
        found = events_of(read_all(FileSource("t", TRADES, folder, batch=batch)))
        assert_frame_equal(found, events)


def test_half_a_parquet_file_is_waited_for_and_reported(folder: Path) -> None:
    events = made_up(TRADES, 50)
    file, source = folder / "a.parquet", FileSource("t", TRADES, folder)
    events.write_parquet(file)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"a\.parquet: not complete yet, or damaged"):
        source.read(None)
    file.write_bytes(whole)
    assert_frame_equal(events_of(read_all(source)), events)


def test_a_truncated_parquet_file_is_refused_once_there_is_a_later_one(folder: Path) -> None:
    events = fill(folder, "parquet")
    file = folder / "1.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    batches = read_all(FileSource("t", TRADES, folder))
    refused = [batch.refused for batch in batches if batch.refused is not None]
    assert [list(frame.rows()[0])[1] for frame in refused] == ["1.parquet: the file"]
    assert refused[0]["reason"][0].startswith("damaged file: ")
    assert_frame_equal(events_of(batches), pl.concat([events[:30], events[60:]]))


def test_rows_that_are_damaged_are_refused_and_the_next_are_read(folder: Path) -> None:
    file = folder / "0.parquet"
    events = made_up(TRADES, 400)
    events.write_parquet(file, row_group_size=100, compression="zstd")
    data = bytearray(file.read_bytes())
    data[200:400] = bytes(200)
    file.write_bytes(data)
    source = FileSource("t", TRADES, folder, follow=False)
    batches = read_all(source)
    assert [b.refused["row"][0] for b in batches if b.refused is not None] == [
        "0.parquet: rows 0 to 100"
    ]
    assert_frame_equal(events_of(batches), events[100:])
    again = source.read(None, until=batches[0].position)
    assert again is not None
    assert again.refused is not None


def test_a_file_that_comes_too_late_is_an_error_and_not_passed_over(folder: Path) -> None:
    fill(folder, "jsonl")
    source = FileSource("t", TRADES, folder)
    position = read_all(source)[1].position
    (folder / "00.jsonl").write_text("{}\n")
    with pytest.raises(SourceError, match=r"came too late, up to 00\.jsonl"):
        source.read(position)


def test_files_that_are_gone_and_were_read_do_not_matter(folder: Path) -> None:
    events = fill(folder, "jsonl")
    source = FileSource("t", TRADES, folder)
    position = read_all(source)[1].position
    (folder / "0.jsonl").unlink()
    assert_frame_equal(events_of(read_all(source, position)), events[60:])


def test_a_text_file_that_was_replaced_is_an_error(folder: Path) -> None:
    fill(folder, "jsonl")
    source = FileSource("t", TRADES, folder / "2.jsonl")
    position = read_all(source)[-1].position
    (folder / "2.jsonl").write_text("{}\n")
    with pytest.raises(SourceError, match="it was replaced"):
        source.read(position)
    with pytest.raises(SourceError, match="as it was before"):
        source.read(None, until=position)


def test_a_missing_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none: no such file or folder"):
        FileSource("t", TRADES, tmp_path / "none").read(None)


def test_a_line_is_refused_alone(folder: Path) -> None:
    lines = made_up(TRADES, 2).write_ndjson().splitlines()
    (folder / "a.jsonl").write_text("\n".join([lines[0], "{oops", "", "[1]", lines[1], ""]))
    (batch,) = read_all(FileSource("t", TRADES, folder))
    assert batch.events["id"].to_list() == [0, 1]
    assert batch.refused is not None
    assert batch.refused["row"].to_list() == ["{oops", "[1]"]
    assert batch.given == 4


def test_times_are_those_that_were_written(folder: Path) -> None:
    fill(folder, "jsonl")
    found = events_of(read_all(FileSource("t", TRADES, folder)))
    assert START - timedelta(seconds=1) <= found["ts"][0] <= START + timedelta(seconds=10)
