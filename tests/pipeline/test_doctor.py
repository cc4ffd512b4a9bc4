"""The doctor looks at everything, changes nothing, and survives what is broken."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from features.trading import SYMBOL_5S
from pipeline.doctor import Finding, examine
from pipeline.evaluation.dataset import Dataset
from pipeline.lake import Lake
from pipeline.lifecycle.train import model_path, train


def findings(home: Path, now: datetime) -> dict[str, Finding]:
    found = examine(home, now=now)
    assert len({f.what for f in found}) == len(found)
    return {f.what: f for f in found}


def test_a_new_home_is_empty_not_broken_and_stays_as_it_was(
    tmp_path: Path, after: datetime
) -> None:
    home = tmp_path / "home"
    found = findings(home, after)
    assert not home.exists()
    assert {f.state for f in found.values()} <= {"ok", "none"}
    assert (found["lake"].state, found["models"].state) == ("none", "none")
    for name in ("python", "polars", "numba", "deltalake", "this machine"):
        assert found[name].state == "ok"


@pytest.fixture(scope="module")
def home(pump_set: Path, after: datetime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake and a cold model."""
    home = tmp_path_factory.mktemp("home")
    lake = Lake(home / "lake")
    lake.append(SYMBOL_5S.name, Dataset.open(pump_set).windows(now=after)[:4_000])
    train(SYMBOL_5S, lake, model_path(home, SYMBOL_5S))
    return home


def test_how_far_the_lake_is_behind_is_told(home: Path) -> None:
    newest = Lake(home / "lake").windows(SYMBOL_5S.name)["end"].max()
    assert isinstance(newest, datetime)
    told = findings(home, newest + timedelta(hours=3))["lake trades.symbol_5s"]
    assert told.state == "ok"
    assert "4,000 windows" in told.detail
    assert f"{newest:%Y-%m-%d %H:%M:%S} UTC, 3.0 h behind" in told.detail


def test_a_model_is_told_with_what_it_learned(home: Path, after: datetime) -> None:
    told = findings(home, after)["model trades.symbol_5s"]
    assert (told.state, told.detail) == ("ok", "cold, learned from 4,000 windows")


def test_a_damaged_model_is_broken(home: Path, after: datetime, tmp_path: Path) -> None:
    path = model_path(tmp_path, SYMBOL_5S)
    path.parent.mkdir()
    path.write_bytes(model_path(home, SYMBOL_5S).read_bytes()[:-100])
    told = findings(tmp_path, after)["model trades.symbol_5s"]
    assert told.state == "broken"
    assert "not a model file" in told.detail


def test_a_damaged_lake_is_broken(home: Path, after: datetime, tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append(SYMBOL_5S.name, Lake(home / "lake").windows(SYMBOL_5S.name))
    for file in (tmp_path / "lake").rglob("*.parquet"):
        file.unlink()
    assert findings(tmp_path, after)["lake trades.symbol_5s"].state == "broken"


def test_a_file_in_the_place_of_the_lake_is_broken(tmp_path: Path, after: datetime) -> None:
    (tmp_path / "lake").write_text("x")
    assert findings(tmp_path, after)["lake"].state == "broken"


def test_a_missing_package_is_broken_and_a_missing_extra_is_not(
    tmp_path: Path, after: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("pipeline.doctor.version", version)
    found = findings(tmp_path, after)
    assert found["polars"].state == "broken"
    assert (found["pyspark"].state, found["pyspark"].detail) == (
        "none",
        "optional; comes with tocsin[spark]",
    )


def test_a_machine_that_tells_nothing_is_broken(
    tmp_path: Path, after: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.doctor.HostSource.sample", lambda *_: {})
    assert findings(tmp_path, after)["this machine"].state == "broken"
