"""The commands from events to windows: what they put into the lake, what they say, how they end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from features.trading import SYMBOL_5S, TRADES
from pipeline.lake import Lake
from serving.cli import app
from tests.streams import made_up

VIEW = SYMBOL_5S.name


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    made_up(TRADES, 200).write_parquet("all.parquet")
    Path("tocsin.yaml").write_text("home: house\nsources: [{kind: host, name: a}]\n")
    return tmp_path


def run(code: int, *words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def test_a_backfill_goes_to_the_lake_of_the_configuration(place: Path) -> None:
    told = run(0, "backfill", VIEW, "all.parquet", "--engine", "local")
    windows = Lake(place / "house" / "lake").windows(VIEW)
    assert told == {
        "view": VIEW,
        "engine": "local",
        "lake": str(place / "house" / "lake"),
        "given": 200,
        "accepted": 200,
        "refused": 0,
        "late": 0,
        "future": 0,
        "added": len(windows),
        "there": 0,
        "differ": 0,
        "difference": None,
    }
    assert run(0, "backfill", VIEW, "all.parquet")["there"] == len(windows)


def test_a_backfill_and_windows_are_the_same_windows(place: Path) -> None:
    told = run(0, "windows", VIEW, "all.parquet", "--home", "house")
    again = run(0, "backfill", VIEW, "all.parquet")
    assert told["added"] == told["windows"] == again["there"] > 0
    assert (again["added"], again["differ"]) == (0, 0)


@pytest.mark.parametrize("command", ["backfill", "windows"])
def test_a_lake_that_has_other_values_ends_it_with_one(place: Path, command: str) -> None:
    where = ["--lake" if command == "backfill" else "--home", "l"]
    lake = Lake("l") if command == "backfill" else Lake("l/lake")
    rows = pl.read_parquet("all.parquet")
    rows.with_columns(pl.col("qty") * 2).write_parquet("other.parquet")
    run(0, command, VIEW, "all.parquet", *where)
    before = lake.windows(VIEW)
    told = run(1, command, VIEW, "other.parquet", *where)
    assert told["added"] == 0
    assert told["differ"] > 0
    assert "in the lake" in told["difference"]
    assert_frame_equal(lake.windows(VIEW), before)


@pytest.mark.parametrize("command", ["backfill", "windows"])
def test_people_are_told_what_became_of_the_windows(place: Path, command: str) -> None:
    result = CliRunner().invoke(app, [command, VIEW, "all.parquet"])
    assert result.exit_code == 0, result.output
    assert result.stdout.endswith(" added, 0 were there\n")


def test_an_engine_that_there_is_not_is_refused(place: Path) -> None:
    result = CliRunner().invoke(app, ["backfill", VIEW, "all.parquet", "--engine", "abacus"])
    assert result.exit_code == 2
