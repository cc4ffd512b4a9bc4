"""A rewound model is a version like any other: registered, champion, with who and why."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from pipeline.files import InputError
from pipeline.lake import Lake
from pipeline.lifecycle.champion import champion
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.incidents import INCIDENT
from pipeline.lifecycle.rewind import rewind
from pipeline.lifecycle.snapshots import Snapshots
from pipeline.scoring.scorer import MARGIN
from serving.cli import app
from tests.pipeline.lifecycle.retraining import FIRST, NOW, THEN, VIEW, copied, made_up, shared_home

WHY = "the theft was learned"


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Path:
    """A home whose stream took a snapshot when it had learned the first windows."""
    home = copied(shared_home(tmp_path_factory), tmp_path / "home")
    served = champion(VIEW, open_registry(home), home).scorer
    assert served is not None
    Snapshots(home / "snapshots" / VIEW.name).take(served)
    return home


def incident() -> pl.DataFrame:
    begun = made_up(FIRST, 1)["start"][0] + MARGIN
    given = {"entity": ["A"], "start": [begun], "end": [begun + MARGIN]}
    return pl.DataFrame(given, schema=INCIDENT)


def test_the_champion_is_as_if_it_had_never_seen_the_incident(home: Path) -> None:
    registry = open_registry(home)
    expected = Snapshots(home / "snapshots" / VIEW.name).rewind(
        VIEW, Lake(home / "lake"), incident()
    )
    version = rewind(VIEW, registry, home, incident(), who="ann", now=NOW, why=WHY)
    found = champion(VIEW, registry, home)
    assert found.version == version.number
    assert found.scorer is not None
    assert version.tags["until"] == expected.until.isoformat()
    probe = made_up(FIRST + THEN, 300)
    assert_frame_equal(found.scorer.run(probe), expected.run(probe), check_exact=True)
    change = registry.changes(VIEW.name)[-1]
    assert (change.who, change.why) == ("ann", f"incidents left out: 1; {WHY}")


def test_without_a_snapshot_the_champion_stays(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    home = copied(shared_home(tmp_path_factory), tmp_path / "home")
    registry = open_registry(home)
    with pytest.raises(InputError, match="none is kept"):
        rewind(VIEW, registry, home, incident(), who="ann", now=NOW, why=WHY)
    assert champion(VIEW, registry, home).version == 1
    assert [one.number for one in registry.versions(VIEW.name)] == [1]


def test_the_command_takes_the_incidents_from_a_file(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLflow sets it for the whole process when it is asked to load a model.
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    file = tmp_path / "incidents.csv"
    time = pl.col("start", "end").dt.strftime("%Y-%m-%dT%H:%M:%S%:z")
    incident().with_columns(time).write_csv(file)
    words = ["rollback", VIEW.name, "--why", WHY, "--home", str(home), "--incidents", str(file)]
    with pytest.raises(InputError, match="expected one of them"):
        CliRunner().invoke(app, [*words, "--to", "1"], catch_exceptions=False)
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert champion(VIEW, open_registry(home), home).version == 2
