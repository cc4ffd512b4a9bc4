"""A few dated files of a scorer, so that it can go back to before an incident."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from features.view import FeatureView
from models.persistence import ModelFileError
from pipeline.files import InputError
from pipeline.scorer import MARGIN, Scorer

__all__ = ["Snapshots"]

KEPT = 8
NAME = "%Y%m%dT%H%M%S.%fZ.npz"


class Snapshots:
    """A ring of snapshots of one view's scorer, the oldest dropped; taken daily, a week's.

    A rollback gives up all that was learned since, the incident's windows and what the baseline
    took from them. What was normal since is learned again by `Scorer.step` over the lake's windows
    from `Scorer.until` on, those of the incident left out.

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

    def _path(self, time: datetime) -> Path:
        return self.folder / time.strftime(NAME)
