"""Models kept in MLflow: each is one file of arrays and JSON, with all that is known of it.

MLflow gets no code: its pyfunc names a loader, a module of this project, and the file is data.
So nothing that is loaded can run, and a notebook still says
``mlflow.pyfunc.load_model("models:/<name>@champion")``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

__all__ = ["CHALLENGER", "CHAMPION", "Change", "Registry", "RegistryError", "Version"]

CHAMPION, CHALLENGER = "champion", "challenger"
EXPERIMENT = "tocsin"
FILE = "model.npz"
SQLITE = "sqlite:///"
CHANGE = "change."
# What MLflow must know before its import. A monitor does not tell a third party that it runs,
# and a server that is down is to be known in seconds, not in the minutes of MLflow's own retries.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
}


class RegistryError(RuntimeError):
    """MLflow cannot be reached, or cannot do what is asked."""


@dataclass(frozen=True)
class Version:
    """One registered model; ``tags`` say what it was made from and what was decided."""

    name: str
    number: int
    run: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """A line of the audit trail: which version became champion in whose place, and why."""

    kind: str
    before: int | None
    after: int
    who: str
    when: str
    why: str


class Registry:
    """The models of one MLflow tracking server or database.

    Parameters
    ----------
    uri : str
        ``sqlite:///<path>``, made when it is missing, or any other tracking URI.
    artifacts : Path
        Where files go, unless a server keeps them.

    Every method raises `RegistryError` when MLflow fails; a model that is not there is None.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        self.uri = uri
        self._artifacts = artifacts.absolute()
        self._connected: Any = None

    def register(
        self,
        name: str,
        file: Path,
        *,
        loader: str,
        columns: Mapping[str, str],
        requirements: Sequence[str],
        parameters: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
    ) -> Version:
        """Keep a file as the next version of a model: whole, with its tags, or not at all.

        Parameters
        ----------
        loader : str
            Module with ``_load_pyfunc(path)``.
        columns : mapping of str to str
            Columns that ``predict`` takes: ``"string"``, ``"double"``, or ``"any"``, for times
            with a zone, which MLflow's ``"datetime"`` refuses.
        requirements : sequence of str
            What a server must install; MLflow would guess for seconds.
        """
        with self._told() as client:
            experiment = self._experiment(client)
            # A run is left open only by a process that died.
            mine = f"attributes.status = 'RUNNING' and tags.model = '{name}'"
            for dead in client.search_runs([experiment], mine):
                client.set_terminated(dead.info.run_id, "KILLED")
            run = client.create_run(experiment, run_name=name, tags={"model": name, **tags}).info
            for key, value in parameters.items():
                client.log_param(run.run_id, key, value)
            for key, number in metrics.items():
                client.log_metric(run.run_id, key, number)
            with tempfile.TemporaryDirectory() as folder:
                data, model = Path(folder, FILE), Path(folder, "model")
                shutil.copyfile(file, data)
                _pyfunc(model, data, loader, columns, requirements)
                client.log_artifacts(run.run_id, str(model), "model")
            client.set_terminated(run.run_id)
            if not client.search_registered_models(f"name = '{name}'"):
                client.create_registered_model(name)
            # Last, because a version is what others see.
            source = f"{run.artifact_uri}/model"
            made = client.create_model_version(name, source, run.run_id, tags=dict(tags))
        return _version(made)

    def versions(self, name: str) -> list[Version]:
        """All versions of a model, the oldest first."""
        with self._told() as client:
            found = client.search_model_versions(f"name = '{name}'")
        return sorted((_version(one) for one in found), key=lambda one: one.number)

    def aliases(self, name: str) -> dict[str, int]:
        """Version number of each alias of a model."""
        model = self._model(name)
        return {} if model is None else {k: int(v) for k, v in model.aliases.items()}

    def aliased(self, name: str, alias: str) -> Version | None:
        """The version that has the alias."""
        number = self.aliases(name).get(alias)
        if number is None:
            return None
        with self._told() as client:
            return _version(client.get_model_version(name, str(number)))

    def fetch(self, version: Version, to: Path) -> None:
        """Write the file of a version, whole or not at all."""
        to.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._told() as client,
            tempfile.TemporaryDirectory(dir=to.parent, prefix=".fetch-") as folder,
        ):
            file = client.download_artifacts(version.run, f"model/data/{FILE}", folder)
            Path(file).replace(to)

    def name_challenger(self, version: Version) -> None:
        """Give the alias ``challenger`` to a version."""
        with self._told() as client:
            client.set_registered_model_alias(version.name, CHALLENGER, str(version.number))

    def appoint(self, version: Version, *, kind: str, who: str, when: datetime, why: str) -> None:
        """Make a version the champion, after writing who did it, when and why."""
        held = self.aliases(version.name)
        if held.get(CHAMPION) == version.number:
            return
        change = Change(kind, held.get(CHAMPION), version.number, who, when.isoformat(), why[:1000])
        key = f"{CHANGE}{len(self.changes(version.name)):06d}.{when:%Y%m%dT%H%M%S.%f}"
        with self._told() as client:
            client.set_registered_model_tag(version.name, key, json.dumps(vars(change)))
            client.set_registered_model_alias(version.name, CHAMPION, str(version.number))
            if held.get(CHALLENGER) == version.number:
                client.delete_registered_model_alias(version.name, CHALLENGER)

    def changes(self, name: str) -> list[Change]:
        """The audit trail of a model, the oldest change first."""
        model = self._model(name)
        tags = {} if model is None else model.tags
        return [Change(**json.loads(tags[k])) for k in sorted(tags) if k.startswith(CHANGE)]

    def tag(self, version: Version, key: str, value: str) -> None:
        """Add a tag to a version."""
        with self._told() as client:
            client.set_model_version_tag(version.name, str(version.number), key, value)

    def _model(self, name: str) -> Any:
        with self._told() as client:
            return next(iter(client.search_registered_models(f"name = '{name}'")), None)

    def _experiment(self, client: Any) -> str:
        known = client.get_experiment_by_name(EXPERIMENT)
        if known is not None:
            return str(known.experiment_id)
        served = self.uri.startswith(("http:", "https:"))
        where = None if served else self._artifacts.as_uri()
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=where))
        except Exception:
            # Another process may have made it at the same moment.
            if (known := client.get_experiment_by_name(EXPERIMENT)) is None:
                raise
            return str(known.experiment_id)

    @contextmanager
    def _told(self) -> Iterator[Any]:
        """MLflow's client; whatever goes wrong with it is told as a `RegistryError`."""
        try:
            # What MLflow does with other libraries is deprecated here and there.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._connected is None:
                    if self.uri.startswith(SQLITE):
                        _make_sqlite(Path(self.uri.removeprefix(SQLITE)))
                    self._connected = _connect(self.uri)
                yield self._connected
        # MLflow lets errors of requests, SQLAlchemy and the file system through.
        except Exception as error:
            told = f"MLflow at {self.uri}: {' '.join(str(error).split())[:300]}"
            raise RegistryError(re.sub(r"//[^/@\s]*@", "//", told)) from error


def _connect(uri: str) -> Any:
    return _mlflow().MlflowClient(tracking_uri=uri, registry_uri=uri)


def _mlflow() -> Any:
    """The library, imported late because that takes seconds."""
    for key, value in SETTINGS.items():
        os.environ.setdefault(key, value)
    import mlflow.pyfunc

    return mlflow


def _make_sqlite(path: Path) -> None:
    """Make MLflow's tables in a new database beside the path, then give it its name.

    A process killed while it makes them in place would leave a database that MLflow refuses.
    """
    if path.exists():
        # MLflow would try to open a damaged file again and again.
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA schema_version")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".mlflow-") as folder:
        new = Path(folder, path.name)
        _connect(f"{SQLITE}{new}").search_experiments()
        # A link, unlike a rename, leaves what another process made first.
        if not path.exists():
            try:
                path.hardlink_to(new)
            except FileExistsError:
                return


def _pyfunc(
    to: Path, data: Path, loader: str, columns: Mapping[str, str], requirements: Sequence[str]
) -> None:
    """Write MLflow's description of a model beside a copy of its data."""
    mlflow = _mlflow()
    types = mlflow.types.schema
    kinds = {k: types.AnyType() if kind == "any" else kind for k, kind in columns.items()}
    inputs = types.Schema([types.ColSpec(kind, name) for name, kind in kinds.items()])
    mlflow.pyfunc.save_model(
        path=str(to),
        loader_module=loader,
        data_path=str(data),
        signature=mlflow.models.ModelSignature(inputs=inputs),
        pip_requirements=list(requirements),
    )


def _version(found: Any) -> Version:
    return Version(found.name, int(found.version), found.run_id, dict(found.tags))
