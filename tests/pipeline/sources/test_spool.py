"""A spool keeps what was taken, whatever is killed, and takes no more than it may."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S, TRADES
from pipeline.sources.spool import Spool, SpoolFullError, SpoolSource
from tests.streams import AFTER, loop_of, made_up

ROWS = made_up(TRADES, 60)


def read_all(source: SpoolSource) -> pl.DataFrame:
    frames, position = [TRADES.empty], None
    while (batch := source.read(position)) is not None:
        frames.append(TRADES.validate(batch.events, now=AFTER).events)
        position = batch.position
    return pl.concat(frames)


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment=2_000)
    for i in range(6):
        spool.append(ROWS[10 * i : 10 * i + 10])
    assert len(spool.segments) > 2
    assert_frame_equal(read_all(SpoolSource("s", TRADES, spool, batch=7)), ROWS)


def test_an_append_is_whole_and_readable_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    source = SpoolSource("s", TRADES, spool)
    assert source.read(None) is None
    spool.append(b"")
    assert source.read(None) is None
    spool.append(ROWS[:1].write_ndjson().strip().encode())
    assert len(read_all(source)) == 1


def test_half_a_line_of_a_killed_writer_goes_and_nothing_else(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append(ROWS[:3])
    with spool.segments[-1].open("ab") as file:
        file.write(b'{"ts":"2026-' + b"x" * 100_000)
    assert len(read_all(SpoolSource("s", TRADES, spool))) == 3
    Spool(tmp_path).append(ROWS[3:5])
    assert_frame_equal(read_all(SpoolSource("s", TRADES, spool)), ROWS[:5])


def test_a_full_spool_takes_nothing_of_an_append(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=3_000)
    size = len(ROWS[:5].write_ndjson())
    for _ in range(3_000 // size):
        spool.append(ROWS[:5])
    with pytest.raises(SpoolFullError, match="expected 3,000 at most"):
        spool.append(ROWS[:5])
    assert 2_000 < spool.size <= 3_000
    assert len(read_all(SpoolSource("s", TRADES, spool))) % 5 == 0


def test_what_was_read_is_dropped_and_makes_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=30_000, segment=2_000)
    source = SpoolSource("s", TRADES, spool, batch=10)
    for i in range(6):
        spool.append(ROWS[10 * i : 10 * i + 10])
    before, size = len(spool.segments), spool.size
    position = None
    while (batch := source.read(position)) is not None:
        position = batch.position
    assert position is not None
    source.release(position)
    assert (len(spool.segments), before) == (1, before)
    assert spool.size < size
    spool.append(ROWS[:2])
    batch = source.read(position)
    assert batch is not None
    assert batch.events["id"].to_list() == [0, 1]


def test_a_loop_releases_what_it_has_committed(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", segment=1_000)
    for i in range(6):
        spool.append(ROWS[10 * i : 10 * i + 10])
    source = SpoolSource("s", TRADES, spool, batch=5)
    loop = loop_of(tmp_path / "home", [source], views=[SYMBOL_5S])
    loop.replay(AFTER)
    assert loop.checkpoint.state().views[SYMBOL_5S.name].accepted == 60
    assert len(spool.segments) == 1
    loop.close()


def test_a_disk_that_fails_leaves_no_part_of_an_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path)
    spool.append(ROWS[:3])
    size = spool.size

    def fail(file: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            spool.append(ROWS[3:6])
    assert spool.size == size
    spool.append(ROWS[3:6])
    assert_frame_equal(read_all(SpoolSource("s", TRADES, spool)), ROWS[:6])
