"""The tail of a log: every line once, whatever becomes of the file."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources.access_log import NAMES, AccessLog
from pipeline.sources.parsers import parse_auth, parse_combined
from pipeline.sources.source import Batch, Position, Source, SourceError

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def lines(*numbers: int) -> str:
    """Lines of the combined log format that ask for their number."""
    start = '10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET '
    return "".join(f'{start}/{n} HTTP/1.1" 200 17\n' for n in numbers)


def follow(log: AccessLog, position: Position | None) -> tuple[list[int], Position | None]:
    """All there is after a position, as the numbers asked for, and the position then."""
    found: list[int] = []
    while (batch := log.read(position)) is not None:
        # A position lives in a checkpoint, as JSON.
        again = log.read(position, until=json.loads(json.dumps(batch.position)))
        assert again is not None
        assert again.events.equals(batch.events)
        assert again.position == batch.position
        found += numbers(batch)
        position = json.loads(json.dumps(batch.position))
    return found, position


def numbers(batch: Batch) -> list[int]:
    return [int(path[1:]) for path in batch.events["path"]]


@pytest.fixture
def log(tmp_path: Path) -> AccessLog:
    return AccessLog("web", tmp_path / "access.log", parse_combined, clock=lambda: NOW)


def test_a_log_is_a_source(log: AccessLog) -> None:
    source: Source = log
    source.close()
    assert (source.name, source.stream.name) == ("web", "access")


def test_a_log_that_is_not_there_yet_is_told_of_and_an_empty_one_gives_nothing(
    log: AccessLog,
) -> None:
    with pytest.raises(SourceError, match=r"access.log: no such file"):
        log.read(None)
    log.path.write_text("")
    assert log.read(None) is None


def test_a_half_written_line_waits_for_its_end(log: AccessLog) -> None:
    whole = lines(1, 2)
    log.path.write_text(whole[:-5])
    found, position = follow(log, None)
    assert found == [1]
    log.path.write_text(whole)
    assert follow(log, position)[0] == [2]


def test_ids_rise_over_batches_and_differ_between_logs(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text("garbage\n" + lines(*range(50)))
    ids = []
    for name in ("web", "api"):
        log = AccessLog(name, path, parse_combined, batch=500)
        position, own = None, pl.Series(dtype=pl.Int64)
        while (batch := log.read(position)) is not None:
            own, position = own.append(batch.events["id"]), batch.position
        assert (own // NAMES).to_list() == list(range(1, 51))
        ids += own.to_list()
    assert len(set(ids)) == 100


def test_refused_lines_are_kept(log: AccessLog) -> None:
    log.path.write_bytes(b"\x16\x03\xff\n\n" + lines(7).encode() + b"no line\r\n")
    batch = log.read(None)
    assert batch is not None
    assert batch.refused is not None
    assert batch.given == 4
    assert batch.refused["row"].to_list() == ["\x16\x03\ufffd", "", "no line"]


def test_a_line_without_end_is_cut_and_not_waited_for(tmp_path: Path) -> None:
    log = AccessLog("web", tmp_path / "access.log", parse_combined, batch=1_000)
    log.path.write_text("x" * 2_500 + "\n" + lines(1))
    assert follow(log, None)[0] == [1]


def renamed(path: Path, number: int) -> None:
    path.rename(path.with_name(f"{path.name}.{number}"))
    path.touch()


def copied_and_truncated(path: Path, number: int) -> None:
    shutil.copy2(path, path.with_name(f"{path.name}.{number}"))
    os.truncate(path, 0)


def dated(path: Path, number: int) -> None:
    path.rename(path.with_name(f"{path.name}-2026013{number}"))
    path.touch()


ROTATIONS = pytest.mark.parametrize("rotate", [renamed, copied_and_truncated, dated])


def append(path: Path, text: str, clock: list[int]) -> None:
    """Write, with a time of change that rises, as those of real logs do."""
    with path.open("a") as opened:
        opened.write(text)
    clock[0] += 1
    os.utime(path, (clock[0], clock[0]))


@ROTATIONS
def test_what_was_written_before_a_rotation_is_read_after_it(
    log: AccessLog, rotate: Callable[[Path, int], None]
) -> None:
    clock = [1_000_000_000]
    append(log.path, lines(1, 2), clock)
    _, position = follow(log, None)
    append(log.path, lines(3), clock)
    rotate(log.path, 1)
    append(log.path, lines(4), clock)
    rotate(log.path, 2)
    append(log.path, lines(5, 6), clock)
    assert follow(log, position)[0] == [3, 4, 5, 6]


@ROTATIONS
def test_a_log_rotated_after_it_was_read_begins_anew(
    log: AccessLog, rotate: Callable[[Path, int], None]
) -> None:
    clock = [1_000_000_000]
    append(log.path, lines(1, 2), clock)
    _, position = follow(log, None)
    rotate(log.path, 1)
    assert log.read(position) is None
    append(log.path, lines(3, 4, 5), clock)
    assert follow(log, position)[0] == [3, 4, 5]


def test_a_truncated_log_begins_anew(log: AccessLog) -> None:
    log.path.write_text(lines(1, 2, 3))
    _, position = follow(log, None)
    log.path.write_text(lines(9))
    assert follow(log, position)[0] == [9]


def test_the_last_line_of_a_rotated_log_needs_no_end(log: AccessLog) -> None:
    clock = [1_000_000_000]
    append(log.path, lines(1, 2)[:-1], clock)
    _, position = follow(log, None)
    renamed(log.path, 1)
    assert log.read(position) is None
    append(log.path, lines(3), clock)
    assert follow(log, position)[0] == [2, 3]


@given(
    st.lists(
        st.one_of(st.integers(1, 4), st.sampled_from([renamed, copied_and_truncated, "read"])),
        max_size=12,
    ),
    st.sampled_from([120, 400, 100_000]),
)
@settings(max_examples=60, deadline=None)
def test_every_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object], batch: int
) -> None:
    path = tmp_path_factory.mktemp("logs") / "access.log"
    log = AccessLog("web", path, parse_combined, clock=lambda: NOW, batch=batch)
    clock, rotations, written = [1_000_000_000], 0, 0
    append(path, lines(0), clock)
    read, position = follow(log, None)
    for step in steps:
        if isinstance(step, int):
            append(path, lines(*range(written + 1, written + 1 + step)), clock)
            written += step
        elif step == "read":
            found, position = follow(log, position)
            read += found
        elif callable(step) and path.stat().st_size:
            rotations += 1
            step(path, rotations)
    found, _ = follow(log, position)
    assert read + found == list(range(written + 1))


def test_rows_that_are_gone_are_an_error(log: AccessLog) -> None:
    log.path.write_text(lines(1, 2))
    batch = log.read(None)
    assert batch is not None
    log.path.write_text(lines(3))
    with pytest.raises(SourceError, match="is gone"):
        log.read(None, until=batch.position)


def test_a_line_read_again_next_year_keeps_its_year(tmp_path: Path) -> None:
    now = [datetime(2026, 3, 1, tzinfo=UTC)]
    log = AccessLog("auth", tmp_path / "auth.log", parse_auth, clock=lambda: now[0])
    log.path.write_text("Feb 28 10:00:00 h sshd[1]: x\n")
    first = log.read(None)
    assert first is not None
    now[0] = datetime(2027, 3, 1, tzinfo=UTC)
    again = log.read(None, until=first.position)
    assert again is not None
    assert again.events["ts"].to_list() == [datetime(2026, 2, 28, 10, tzinfo=UTC)]
