"""MLflow keeps models as data, tells who is champion, and fails in one way."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

from models.persistence import read_state, write_state
from models.registry import Change, Registry, RegistryError, Version

NOW = datetime(2026, 8, 4, 12, tzinfo=UTC)
DOWN = "http://someone:secret@127.0.0.1:9"


def registered(registry: Registry, name: str, file: Path, **tags: str) -> Version:
    return registry.register(
        name,
        file,
        loader="pipeline.lifecycle.pyfunc",
        columns={"entity": "string", "start": "any", "count": "double"},
        requirements=["numpy"],
        parameters={"seed": 3},
        metrics={"found": 2.0},
        tags=tags,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("a home")


@pytest.fixture(scope="module")
def registry(home: Path) -> Registry:
    return Registry(f"sqlite:///{home / 'mlflow.db'}", home / "mlflow")


@pytest.fixture(scope="module")
def file(home: Path) -> Path:
    path = home / "some.npz"
    write_state(path, "a.view", 1, {"numbers": np.arange(5.0), "seed": 3})
    return path


def test_what_is_not_there_is_none(registry: Registry) -> None:
    assert registry.versions("no.such") == []
    assert registry.aliases("no.such") == {}
    assert registry.aliased("no.such", "champion") is None
    assert registry.changes("no.such") == []


def test_a_version_comes_back_as_it_was_given(
    registry: Registry, file: Path, tmp_path: Path
) -> None:
    made = registered(registry, "a.view", file, decision="promote")
    assert (made.name, made.number, made.tags) == ("a.view", 1, {"decision": "promote"})
    assert registry.versions("a.view") == [made]
    registry.fetch(made, tmp_path / "new" / "model.npz")
    assert (tmp_path / "new" / "model.npz").read_bytes() == file.read_bytes()
    assert list((tmp_path / "new").iterdir()) == [tmp_path / "new" / "model.npz"]


def test_parameters_and_metrics_are_kept_and_the_run_is_ended(
    registry: Registry, file: Path
) -> None:
    from mlflow import MlflowClient

    made = registered(registry, "told.view", file, lake_version="7")
    run = MlflowClient(registry.uri).get_run(made.run)
    assert run.data.params == {"seed": "3"}
    assert run.data.metrics == {"found": 2.0}
    assert run.data.tags["lake_version"] == "7"
    assert run.info.status == "FINISHED"


def test_a_run_that_died_is_closed_by_the_next(registry: Registry, file: Path) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(registry.uri)
    first = registered(registry, "dead.view", file)
    experiment = client.get_run(first.run).info.experiment_id
    dead = client.create_run(experiment, tags={"model": "dead.view"}).info.run_id
    other = client.create_run(experiment, tags={"model": "other.view"}).info.run_id
    registered(registry, "dead.view", file)
    assert client.get_run(dead).info.status == "KILLED"
    assert client.get_run(other).info.status == "RUNNING"


def test_nothing_in_the_artifacts_can_run(registry: Registry, file: Path) -> None:
    from mlflow import MlflowClient

    made = registered(registry, "safe.view", file)
    address = MlflowClient(registry.uri).get_run(made.run).info.artifact_uri
    folder = Path(unquote(urlsplit(address).path))
    files = {path.relative_to(folder / "model"): path for path in folder.rglob("*.*")}
    texts = {"conda.yaml", "python_env.yaml", "requirements.txt"}
    assert {path.as_posix() for path in files} == texts | {"data/model.npz"}
    described = (folder / "model" / "MLmodel").read_text()
    assert "code: null" in described
    assert "pickle" not in described
    with zipfile.ZipFile(folder / "model" / "data" / "model.npz") as archive:
        for member in archive.namelist():
            with archive.open(member) as opened:
                np.lib.format.read_array(opened, allow_pickle=False)
    assert read_state(folder / "model" / "data" / "model.npz")[0] == "a.view"


def test_the_audit_trail_keeps_every_change_in_order(registry: Registry, file: Path) -> None:
    one, two = (registered(registry, "changed.view", file) for _ in range(2))
    registry.appoint(one, kind="promote", who="ann", when=NOW, why="first")
    registry.name_challenger(two)
    assert registry.aliases("changed.view") == {"champion": 1, "challenger": 2}
    registry.appoint(two, kind="promote", who="ann", when=NOW, why="better")
    assert registry.aliases("changed.view") == {"champion": 2}
    registry.appoint(one, kind="rollback", who="bob", when=NOW, why="worse")
    when = NOW.isoformat()
    assert registry.changes("changed.view") == [
        Change("promote", None, 1, "ann", when, "first"),
        Change("promote", 1, 2, "ann", when, "better"),
        Change("rollback", 2, 1, "bob", when, "worse"),
    ]
    champion = registry.aliased("changed.view", "champion")
    assert champion is not None
    assert champion.number == 1


def test_appointing_the_champion_again_changes_nothing(registry: Registry, file: Path) -> None:
    one = registered(registry, "again.view", file)
    for who in ("ann", "bob"):
        registry.appoint(one, kind="promote", who=who, when=NOW, why="first")
    assert [change.who for change in registry.changes("again.view")] == ["ann"]


def test_a_server_that_is_down_is_one_error_without_its_password(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    registry = Registry(DOWN, tmp_path)
    for ask in (
        lambda: registry.versions("a.view"),
        lambda: registry.aliased("a.view", "champion"),
        lambda: registered(registry, "a.view", file),
    ):
        with pytest.raises(RegistryError, match=r"MLflow at http://127\.0\.0\.1:9: ") as error:
            ask()
        assert "secret" not in str(error.value)


def test_a_damaged_database_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"no database " * 100)
    with pytest.raises(RegistryError, match="not a database"):
        Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path).versions("a.view")


def test_an_artifact_that_is_gone_is_an_error(registry: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="MLflow at sqlite:"):
        registry.fetch(Version("a.view", 1, "no-such-run", {}), tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_mlflow_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, models.registry; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
