"""The performance report, over a lake of machines of which something can be said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from features.catalogue import VIEWS
from pipeline.lake import Lake
from serving.cli import app
from serving.performance import performance, performance_text
from serving.rules.load import load_packs

HOST, DISK = VIEWS["system.host_1m"], VIEWS["system.disk_1m"]
START = datetime(2026, 3, 1, tzinfo=UTC)
EVERY = timedelta(minutes=30)
COUNT = 10 * 48
END = START + COUNT * EVERY


def _rows(entity: str, **features: Any) -> pl.DataFrame:
    start = pl.Series([START + i * EVERY for i in range(COUNT)])
    keys = {"start": start, "end": start + timedelta(minutes=1)}
    values = {name: np.broadcast_to(value, COUNT) for name, value in features.items()}
    return pl.DataFrame({"entity": [entity] * COUNT, **keys, **values})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """One host is busy every third hour, one idles; a disk fills, and each night is quiet."""
    rng, hour = np.random.default_rng(0), np.arange(COUNT) / 2
    noise = rng.normal(0.0, 0.5, COUNT)
    busy = np.where(hour % 3 < 1, 80.0, 40.0) + noise
    night = np.where(hour % 24 < 6, -20.0, 0.0)
    made = Lake(tmp_path / ".tocsin" / "lake")
    made.append(
        HOST.name,
        pl.concat(
            [
                _rows("busy", cpu_max=busy, memory_max=50.0 + night + noise),
                _rows("idle", cpu_max=3.0 + noise, memory_max=50.0 + noise),
            ]
        ),
    )
    filling = 50.0 + hour / 24 * 3.0 + night / 10 + noise
    made.append(DISK.name, _rows("db|data", used_last=filling))
    return made


@pytest.fixture
def told(lake: Lake) -> dict[str, Any]:
    return performance(lake, load_packs(), until=END)


def _of(rows: list[dict[str, Any]], entity: str, feature: str) -> dict[str, Any]:
    (found,) = (row for row in rows if (row["entity"], row["feature"]) == (entity, feature))
    return found


def test_a_disk_that_fills_has_a_day_on_which_it_is_full(told: dict[str, Any]) -> None:
    row = _of(told["trends"], "db|data", "used_last")
    assert row["direction"] == 1
    assert row["low"] < 3.0 < row["high"]
    assert row["days_left"] == pytest.approx((90.0 - row["level"]) / row["slope"])
    assert row["days_left"] <= row["days_left_at_most"]


def test_nights_are_no_trend(told: dict[str, Any]) -> None:
    for entity, feature in (("busy", "memory_max"), ("busy", "cpu_max"), ("idle", "cpu_max")):
        assert _of(told["trends"], entity, feature)["direction"] == 0


def test_how_much_of_a_thing_is_used_is_told(told: dict[str, Any]) -> None:
    row = _of(told["utilisation"], "busy", "cpu_max")
    assert row["above"] == pytest.approx(1 / 3, abs=0.01)
    assert row["median"] == pytest.approx(40.0, abs=1.0)
    assert row["p95"] > 79.0
    assert (row["first"], row["limit"]) == (70.0, 85.0)


def test_the_gravest_comes_first_and_each_says_why(told: dict[str, Any]) -> None:
    found = [(one["what"], one["entity"]) for one in told["opportunities"]]
    assert found == [
        ("make room", "db|data"),
        ("relieve", "busy"),
        ("relieve", "db|data"),
        ("save", "idle"),
    ]
    assert "33% of the time" in told["opportunities"][1]["why"]
    assert all(one["advice"] for one in told["opportunities"])
    assert json.loads(json.dumps(told)) == told


def test_an_empty_lake_and_a_short_one_say_little(lake: Lake, tmp_path: Path) -> None:
    nothing = performance(Lake(tmp_path / "none"), load_packs(), until=END)
    assert (nothing["trends"], nothing["utilisation"], nothing["opportunities"]) == ([], [], [])
    assert "nothing stands out" in performance_text(nothing)
    short = performance(lake, load_packs(), until=END, days=0.1)
    assert short["trends"] == []
    assert short["utilisation"]


def test_the_command_tells_people_and_programs(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text("home: .tocsin\nsources:\n  - {kind: host, name: this}\n")
    words = ["performance", "--until", f"{END:%Y-%m-%dT%H:%M:%S}"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert "make room  db|data: used_last rises" in told.stdout
    parsed = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert parsed["until"] == END.isoformat()
