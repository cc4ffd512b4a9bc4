"""What is configured, reachable, behind or missing, in one list."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import polars as pl

from features.catalogue import VIEWS
from models.persistence import ModelFileError
from pipeline.lake import Lake, LakeError
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer
from pipeline.sources.host import HostSource

__all__ = ["Finding", "examine"]

State = Literal["ok", "none", "broken"]
PACKAGES = ("polars", "pyarrow", "numpy", "numba", "scikit-learn", "river", "deltalake")
OPTIONAL = {"confluent-kafka": "kafka", "pyspark": "spark", "psycopg": "postgres"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, ``none`` where there is nothing yet, or ``broken``."""

    what: str
    state: State
    detail: str


def examine(home: Path, *, now: datetime) -> list[Finding]:
    """Look at everything this installation needs and has.

    Parameters
    ----------
    home : Path
        Where the lake and the models are.
    now : datetime
        Aware; how far the lake is behind is measured against it.
    """
    return [
        Finding("python", "ok", sys.version.split()[0]),
        *(_package(name) for name in PACKAGES),
        *(_extra(name, extra) for name, extra in OPTIONAL.items()),
        _host(now),
        *_lake(home, now),
        *_models(home),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "broken", "not installed; run `make test` or install the lock")


def _extra(name: str, extra: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "none", f"optional; comes with tocsin[{extra}]")


def _host(now: datetime) -> Finding:
    taken = HostSource().sample(now)
    if not taken:
        return Finding("this machine", "broken", "psutil tells nothing of it")
    return Finding("this machine", "ok", f"tells of {', '.join(sorted(taken))}")


def _lake(home: Path, now: datetime) -> list[Finding]:
    path = home / "lake"
    try:
        lake = Lake(path)
        names = lake.views()
    except LakeError as error:
        return [Finding("lake", "broken", str(error))]
    if not names:
        return [Finding("lake", "none", f"{path} holds no windows yet")]
    return [_table(lake, name, now) for name in names]


def _table(lake: Lake, name: str, now: datetime) -> Finding:
    try:
        rows, newest = (
            lake.scan(name).select(pl.len(), pl.col("end").max().alias("newest")).collect().row(0)
        )
        at = lake.version(name)
    except LakeError as error:
        return Finding(f"lake {name}", "broken", str(error))
    if not rows:
        return Finding(f"lake {name}", "none", f"version {at} holds no windows")
    hours = (now - newest).total_seconds() / 3600
    held = f"{rows:,} windows up to {newest:%Y-%m-%d %H:%M:%S} UTC, {hours:,.1f} h behind"
    return Finding(f"lake {name}", "ok", f"version {at}, {held}")


def _models(home: Path) -> list[Finding]:
    findings = []
    for view in VIEWS.values():
        path = model_path(home, view)
        if not path.exists():
            continue
        try:
            scorer = Scorer.load(view, path)
        except ModelFileError as error:
            findings.append(Finding(f"model {view.name}", "broken", str(error)))
        else:
            state = "warm" if scorer.warm else "cold"
            learned = f"{state}, learned from {scorer.history.seen:,} windows"
            findings.append(Finding(f"model {view.name}", "ok", learned))
    return findings or [Finding("models", "none", f"no model in {home / 'models'} yet")]
