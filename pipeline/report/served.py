"""Which model serves each view of the lake, and the versions of both."""

from __future__ import annotations

from pathlib import Path

from features.catalogue import VIEWS
from pipeline.lake import Lake
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.outcome import inventory
from pipeline.report.results import Served

__all__ = ["served"]


def served(home: Path, mlflow: str | None = None) -> list[Served]:
    """What serves each view of a home folder's lake; nothing where there is no lake.

    Parameters
    ----------
    home : Path
        Folder of the lake and the models.
    mlflow : str, optional
        Tracking URI; by default the database in ``home``.
    """
    lake = Lake(home / "lake")
    views = [name for name in lake.views() if name in VIEWS]
    if not views:
        return []
    registry = open_registry(home, mlflow)
    found = []
    for name in views:
        told = inventory(VIEWS[name], registry, home)
        learned = [v for v in told["versions"] if v["version"] == told["version"]]
        found.append(
            Served(
                view=name,
                lake_version=lake.version(name),
                state=told["state"],
                model_version=told["version"],
                learned_from=int(learned[0]["lake_version"]) if learned else None,
            )
        )
    return found
