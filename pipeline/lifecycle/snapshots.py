"""A few dated files of a scorer, so that it can go back to before an incident."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from features.view import FeatureView
from models.persistence import ModelFileError
from pipeline.files import InputError
from pipeline.lake import Lake
from pipeline.lifecycle.incidents import without
from pipeline.scoring.scorer import MARGIN, Scorer

__all__ = ["Snapshots"]

KEPT = 8
NAME = "%Y%m%dT%H%M%S.%fZ.npz"


class Snapshots:
    """A ring of snapshots of one view's scorer, the oldest dropped; taken daily, a week's.

    Going back gives up all that was learned since, the incident's windows and what the baseline
    took from them; `rewind` learns again what was normal since.

    Parameters
    ----------
    folder : Path
        Of this view alone.
    kept : int, default 8
    """

    def __init__(self, folder: Path, *, kept: int = KEPT) -> None:
        if kept < 1:
            raise ValueError(f"kept is {kept}, expected 1 or more")
        self.folder = folder
        self.kept = kept

    @property
    def times(self) -> list[datetime]:
        """Until when each snapshot had learned, the newest first."""
        names = sorted((path.name for path in self.folder.glob("*T*Z.npz")), reverse=True)
        return [datetime.strptime(name, NAME).replace(tzinfo=UTC) for name in names]

    def take(self, scorer: Scorer) -> Path:
        """Write a snapshot, whole or not at all, and drop the oldest beyond those kept.

        Raises
        ------
        NotWarmError
            The scorer's detectors are not fitted yet.
        """
        path = self._path(scorer.until)
        scorer.save(path)
        for time in self.times[self.kept :]:
            self._path(time).unlink(missing_ok=True)
        return path

    def before(self, view: FeatureView, incident: datetime) -> Scorer:
        """The scorer as it was 10 minutes or more before an incident; a damaged file is passed by.

        Raises
        ------
        InputError
            No snapshot is old enough and whole.
        """
        told = "none is kept"
        for time in self.times:
            told = f"the oldest is of {time:%Y-%m-%d %H:%M:%S}"
            if time <= incident - MARGIN:
                try:
                    return Scorer.load(view, self._path(time))
                except (ModelFileError, FileNotFoundError) as error:
                    told = str(error)
        raise InputError(
            f"{self.folder}: no snapshot of {view.name} from before "
            f"{incident - MARGIN:%Y-%m-%d %H:%M:%S}; {told}"
        )

    def rewind(self, view: FeatureView, lake: Lake, incidents: pl.DataFrame) -> Scorer:
        """The scorer as if it had never seen the incidents: for those that nobody held in time.

        Goes back to before the first of them and learns the lake's windows from there on, without
        those of the incidents.

        Parameters
        ----------
        incidents : polars.DataFrame
            `pipeline.lifecycle.incidents.INCIDENT` columns, at least one row.

        Raises
        ------
        InputError
            There are no incidents, or no snapshot is old enough and whole.
        LakeError
            The lake cannot be read.
        """
        if incidents.is_empty():
            raise InputError(f"{view.name}: no incident to go back to before")
        first: datetime = incidents["start"].min()  # type: ignore[assignment]
        scorer = self.before(view, first)
        windows = lake.windows(view.name, since=scorer.until).sort("start", "entity")
        scorer.run(without(windows, incidents))
        return scorer

    def _path(self, time: datetime) -> Path:
        return self.folder / time.strftime(NAME)
