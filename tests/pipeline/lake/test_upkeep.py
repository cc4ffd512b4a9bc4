"""Upkeep deletes what no view keeps and what nobody reads, and nothing else."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from features.system.disk import DISK_1M
from features.system.host import HOST_1M
from pipeline.lake import Lake
from pipeline.lake.upkeep import upkeep

NOW = datetime(2024, 5, 1, tzinfo=UTC)
AGES = (0, 29, 31, 89, 91)


def rows(*days: int) -> pl.DataFrame:
    starts = [NOW - timedelta(days=each) for each in sorted(days, reverse=True)]
    return pl.DataFrame({"entity": "db-1", "start": starts}).with_columns(
        pl.col("start").dt.cast_time_unit("us"),
        end=pl.col("start").dt.cast_time_unit("us") + timedelta(minutes=1),
    )


def test_each_table_keeps_what_its_view_says_and_what_is_aside_stays(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    host, disk, aside = HOST_1M.name, DISK_1M.name, "aside/host"
    for table in (host, f"scores/{host}", disk, aside, "notebook.mine"):
        lake.append(table, rows(*AGES))
    assert upkeep(lake, now=NOW) == {host: 3, f"scores/{host}": 3, disk: 1}
    for table, kept in ((host, 2), (f"scores/{host}", 2), (disk, 4), (aside, 5)):
        assert_frame_equal(lake.windows(table), rows(*AGES[:kept]))
    assert len(lake.windows("notebook.mine")) == len(AGES)
    assert upkeep(lake, now=NOW) == {}


def test_a_file_that_nobody_reads_goes_once_it_is_a_day_old(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(HOST_1M.name, rows(0))
    (read,) = tmp_path.rglob("*.parquet")
    fresh, stale = read.with_name("part-fresh.parquet"), read.with_name("part-stale.parquet")
    for left in (fresh, stale):
        left.write_bytes(b"half a file")
    for file in (read, stale):
        os.utime(file, (0, 0))
    upkeep(lake, now=NOW)
    assert set(tmp_path.rglob("*.parquet")) == {read, fresh}
    assert_frame_equal(lake.windows(HOST_1M.name), rows(0))


def test_a_lake_without_tables_needs_nothing(tmp_path: Path) -> None:
    assert upkeep(Lake(tmp_path / "none"), now=NOW) == {}
