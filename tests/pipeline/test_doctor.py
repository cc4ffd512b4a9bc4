"""The doctor looks at everything, changes nothing, and survives what is broken."""

from __future__ import annotations

import fcntl
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from features.trading import SYMBOL_5S
from pipeline.config import Config
from pipeline.database import open_engine
from pipeline.doctor import BEHIND, Finding, examine
from pipeline.evaluation.dataset import Dataset
from pipeline.lake import Lake
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.train import model_path, train
from pipeline.stream.checkpoint import Checkpoint, Intent, SourceState
from tests.streams import AFTER, troubled


def findings(home: Path, now: datetime, config: Config | None = None) -> dict[str, Finding]:
    found = examine(home, now=now, config=config)
    assert len({f.what for f in found}) == len(found)
    return {f.what: f for f in found}


def test_a_new_home_is_empty_not_broken_and_stays_as_it_was(
    tmp_path: Path, after: datetime
) -> None:
    home = tmp_path / "home"
    found = findings(home, after)
    assert not home.exists()
    assert {f.state for f in found.values()} <= {"ok", "none"}
    assert {found[name].state for name in ("lake", "models", "mlflow", "store")} == {"none"}
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


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, datetime]:
    """A home whose stream refused rows, put some aside, and has a source that fails."""
    return troubled(tmp_path_factory.mktemp("streamed"))


def test_sources_views_and_what_was_put_aside_are_told(streamed: tuple[Config, datetime]) -> None:
    config, newest = streamed
    found = findings(config.home, newest + timedelta(seconds=30), config)
    assert found["store"].state == "ok"
    source, view = found["source p"], found["view trades.symbol_5s"]
    counts = "newest event 30 s old; of 209 rows 203 accepted, 4 refused, 2 future"
    assert (source.state, source.detail) == ("ok", counts)
    assert view.state == "ok"
    assert "; 200 rows accepted, 3 late, " in view.detail
    assert view.detail.endswith("model cold, scores cold")
    gone = found["source gone"]
    assert gone.state == "broken"
    assert gone.detail.startswith("failed ")
    assert "nowhere: no such file or folder; no event yet; of 0 rows" in gone.detail
    assert found["source quiet"].state == "none"
    aside = found["aside/trades"].detail
    assert "2 future (ahead of the clock), 3 late (window was closed), 4 refused (out_of_" in aside
    assert (config.home / "lake" / "aside" / "trades").is_dir()
    assert aside.endswith(str(Path("lake", "aside", "trades")))


def test_a_home_without_a_configuration_tells_the_same_of_its_stream(
    streamed: tuple[Config, datetime],
) -> None:
    config, newest = streamed
    with_it, without = (findings(config.home, newest, given) for given in (config, None))
    assert with_it.keys() - without.keys() == {"source quiet"}
    assert all(without[name].detail == with_it[name].detail for name in ("source p", "stream"))


def test_to_look_changes_no_file_and_needs_no_lock(streamed: tuple[Config, datetime]) -> None:
    config, newest = streamed

    def files() -> dict[Path, bytes]:
        return {f: f.read_bytes() for f in sorted(config.home.rglob("*")) if f.is_file()}

    before = files()
    engine = open_engine(config.store_url)
    with (config.home / "stream" / "stream" / "_lock").open("w") as lock, engine.begin():
        # Somebody runs the loop, and is writing.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert findings(config.home, newest, config)["stream"].state == "ok"
    engine.dispose()
    assert files() == before


def test_what_is_old_is_behind_and_what_is_young_is_not(streamed: tuple[Config, datetime]) -> None:
    config, newest = streamed
    names = ("source p", "view trades.symbol_5s")
    at_edge, over = newest + BEHIND, newest + BEHIND + timedelta(minutes=1)
    assert [findings(config.home, at_edge)[name].state for name in names] == ["ok", "ok"]
    found = findings(config.home, over)
    assert [found[name].state for name in names] == ["behind", "behind"]
    assert "newest event 6 min old" in found["source p"].detail
    last = [findings(config.home, AFTER + late)["stream"] for late in (BEHIND, BEHIND * 2)]
    assert [one.state for one in last] == ["ok", "behind"]
    assert last[1].detail.endswith("committed 10 min ago")


def test_a_step_that_stays_unfinished_is_broken(tmp_path: Path) -> None:
    checkpoint = Checkpoint(open_engine(f"sqlite:///{tmp_path}/store.db"))
    assert findings(tmp_path, AFTER)["stream"].state == "none"
    checkpoint.intend(Intent(1, AFTER))
    checkpoint.close()
    found = [findings(tmp_path, AFTER + late)["stream"] for late in (BEHIND, BEHIND * 2)]
    assert [one.state for one in found] == ["ok", "broken"]
    assert "no step committed yet; step 1, begun 10 min ago, is unfinished" in found[1].detail


def test_a_source_that_gives_nothing_usable_is_broken(tmp_path: Path) -> None:
    checkpoint = Checkpoint(open_engine(f"sqlite:///{tmp_path}/store.db"))
    state = SourceState("p", "trades", given=7, refused=7)
    checkpoint.commit(Intent(1, AFTER), [state], [], lambda connection: None)
    checkpoint.close()
    found = findings(tmp_path, AFTER)["source p"]
    assert (found.state, found.detail) == (
        "broken",
        "no event yet; of 7 rows 0 accepted, 7 refused, 0 future",
    )


def test_a_store_that_cannot_be_used_is_broken(
    streamed: tuple[Config, datetime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, newest = streamed
    (tmp_path / "store.db").write_text("nothing of a database" * 100)
    assert findings(tmp_path, newest)["store"].state == "broken"
    away = f"postgresql+psycopg://tocsin:${{SECRET}}@/x?host={tmp_path}"
    away_config = config.model_copy(update={"store": away})
    assert "SECRET" in findings(config.home, newest, away_config)["store"].detail
    monkeypatch.setenv("SECRET", "hush")
    found = findings(config.home, newest, away_config)["store"]
    assert found.state == "broken"
    assert "hush" not in found.detail


def test_mlflow_is_asked_where_it_is_and_never_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'other.db'}"
    (none,) = (f for f in examine(tmp_path, now=AFTER, mlflow=uri) if f.what == "mlflow")
    assert none.state == "none"
    assert not (tmp_path / "other.db").exists()
    open_registry(tmp_path).aliases("x")
    assert findings(tmp_path, AFTER)["mlflow"].state == "ok"
    (tmp_path / "mlflow.db").write_text("nothing of a database" * 100)
    assert findings(tmp_path, AFTER)["mlflow"].state == "broken"
