"""A champion that never saw an incident: for one that nobody held back in time."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from features.view import FeatureView
from models.registry import Registry, Version
from pipeline.lake import Lake
from pipeline.lifecycle.champion import champion, settle
from pipeline.lifecycle.enlist import Origin, enlist, fingerprint
from pipeline.lifecycle.incidents import without
from pipeline.lifecycle.snapshots import Snapshots

__all__ = ["rewind"]


def rewind(
    view: FeatureView,
    registry: Registry,
    home: Path,
    incidents: pl.DataFrame,
    *,
    who: str,
    now: datetime,
    why: str,
) -> Version:
    """Go back to the stream's snapshot from before the incidents, learn what was normal since.

    The result is registered and made the champion, so a running stream takes it up as any other.

    Parameters
    ----------
    incidents : polars.DataFrame
        `pipeline.lifecycle.incidents.INCIDENT` columns, at least one row.
    who, why : str
        For the audit trail.

    Raises
    ------
    InputError
        There are no incidents, or no snapshot is old enough and whole.
    LakeError
        The lake cannot be read.
    RegistryError
        MLflow cannot be reached.
    """
    lake = Lake(home / "lake")
    lake_version = lake.version(view.name)
    scorer = Snapshots(home / "snapshots" / view.name).rewind(view, lake, incidents)
    windows = lake.windows(view.name, version=lake_version)
    origin = Origin(
        fingerprint=fingerprint(view, incidents, {"rewind": lake_version}),
        since=windows["start"][0].isoformat(),
        until=scorer.until.isoformat(),
        windows=len(without(windows, incidents)),
        lake_windows=len(windows),
        lake_until=windows["end"][-1].isoformat(),
        lake_version=lake_version,
        seed=0,
        trained=now.isoformat(),
    )
    with TemporaryDirectory() as folder:
        file = Path(folder, "model.npz")
        scorer.save(file)
        told = f"incidents left out: {len(incidents)}; {why}"
        version = enlist(view, file, registry, origin, decision="promote", why=told, metrics={})
    settle(registry, version, who=who, now=now)
    champion(view, registry, home)
    return version
