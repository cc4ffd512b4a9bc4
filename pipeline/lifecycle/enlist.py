"""From a trained model to a version in the registry: what it was made from, and once only."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version as installed
from pathlib import Path

import polars as pl

from features.view import FeatureView
from models.registry import Registry, Version
from pipeline.lifecycle.incidents import INCIDENT

__all__ = ["BusyError", "Origin", "enlist", "exclusive", "fingerprint", "open_registry", "user"]

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ("numpy", "numba", "pandas", "polars", "river", "scikit-learn")
KINDS = {pl.String(): "string", pl.Float64(): "double"}


class BusyError(RuntimeError):
    """Another process trains or changes the model of this view."""


@dataclass(frozen=True)
class Origin:
    """What a model was made from; its fingerprint is the same only if all of it is.

    Parameters
    ----------
    since, until : str
        ISO 8601, UTC: the windows learned, half open.
    windows, lake_windows : int
        Windows learned, and all that the lake had.
    lake_until : str
        Where the lake ended.
    lake_version, seed : int
    """

    fingerprint: str
    since: str
    until: str
    windows: int
    lake_windows: int
    lake_until: str
    lake_version: int
    seed: int
    trained: str


def open_registry(home: Path, uri: str | None = None) -> Registry:
    """The registry at a tracking URI; by default a database in ``home``, its files beside it."""
    home = home.absolute()
    return Registry(uri or f"sqlite:///{home / 'mlflow.db'}", home / "mlflow")


@contextmanager
def exclusive(home: Path, view: FeatureView) -> Iterator[None]:
    """Be the only process on this machine that trains or changes the model of a view.

    The system lets go of the lock when the process dies.

    Raises
    ------
    BusyError
        Another process is.
    """
    path = home / "models" / view.name / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"{view.name}: another run holds the lock {path}") from error
        yield


def fingerprint(
    view: FeatureView, incidents: pl.DataFrame, parameters: Mapping[str, object]
) -> str:
    """A digest of the code, the view's features, the incidents left out, and the parameters."""
    code = hashlib.sha256()
    for floor in ("features", "models", "pipeline"):
        for file in sorted((ROOT / floor).rglob("*.py")):
            code.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    rows = incidents.select(*INCIDENT).sort(pl.all())
    text = json.dumps([view.name, view.names, parameters, rows.rows()], default=str, sort_keys=True)
    return hashlib.sha256(code.digest() + text.encode()).hexdigest()[:32]


def enlist(
    view: FeatureView,
    file: Path,
    registry: Registry,
    origin: Origin,
    *,
    decision: str,
    why: str,
    metrics: Mapping[str, float],
) -> Version:
    """Register a saved model with its origin and the decision about it; its aliases come after.

    Raises
    ------
    RegistryError
        MLflow cannot be reached.
    """
    given = asdict(origin)
    tags = {key: str(value) for key, value in given.items()}
    columns = {name: KINDS.get(kind, "any") for name, kind in view.schema.items()}
    return registry.register(
        view.name,
        file,
        loader="pipeline.lifecycle.pyfunc",
        columns=columns,
        requirements=[f"{name}=={installed(name)}" for name in REQUIREMENTS],
        parameters=given,
        metrics=metrics,
        tags={**tags, "decision": decision, "why": why[:1000]},
    )


def user() -> str:
    """Who runs this process, for the audit trail."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no name.
        return f"uid {os.getuid()}"
