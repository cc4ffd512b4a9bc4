"""A table that stays open follows its log, whoever writes to it, maintains it or makes it anew."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from pipeline.lake import Lake
from pipeline.lake.table import Open, load

VIEW = "trades.symbol_5s"
DAY = datetime(2024, 5, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
SCHEMA = {"entity": pl.String, "start": TIME, "end": TIME, "count": pl.Float64}


def window(at: int) -> pl.DataFrame:
    start = DAY + timedelta(seconds=5 * at)
    return pl.DataFrame([("A", start, start + timedelta(seconds=5), 1.0)], SCHEMA, orient="row")


def starts(lake: Lake) -> list[int]:
    return [(at - DAY) // timedelta(seconds=5) for at in lake.windows(VIEW)["start"]]


@pytest.fixture
def lakes(tmp_path: Path) -> tuple[Lake, Lake]:
    return Lake(tmp_path), Lake(tmp_path)


def test_writers_in_turn_see_each_other(lakes: tuple[Lake, Lake]) -> None:
    for at in range(12):
        lake = lakes[at % 2]
        assert lake.append(VIEW, window(at), ("app", at))
        assert not lakes[1 - at % 2].append(VIEW, window(at), ("app", at))
        if at % 3 == 0:
            lake.compact(VIEW)
    assert starts(lakes[0]) == list(range(12))


def test_one_whose_place_in_the_log_is_cut_away_is_read_anew(lakes: tuple[Lake, Lake]) -> None:
    ours, others = lakes
    ours.append(VIEW, window(0))
    for at in range(1, 6):
        others.append(VIEW, window(at))
    log = ours.root / "windows" / VIEW / "_delta_log"
    DeltaTable(log.parent).create_checkpoint()
    for entry in sorted(log.glob("*.json"))[:-1]:
        entry.unlink()
    ours.append(VIEW, window(6))
    assert starts(others) == list(range(7))


def test_one_that_was_made_anew_is_read_anew(lakes: tuple[Lake, Lake]) -> None:
    ours, others = lakes
    for at in range(4):
        ours.append(VIEW, window(at))
    shutil.rmtree(ours.root)
    others.append(VIEW, window(7))
    ours.append(VIEW, window(8))
    assert starts(ours) == [7, 8]


def test_what_is_open_is_as_new_as_what_is_opened(tmp_path: Path) -> None:
    lake, kept = Lake(tmp_path), Open()
    path = tmp_path / "windows" / VIEW
    for at in range(5):
        lake.append(VIEW, window(at))
        table = kept.latest(VIEW, path)
        assert table.version() == load(VIEW, path).version()
        assert table is kept.latest(VIEW, path)
