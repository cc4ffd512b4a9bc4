"""A scorer between steps: a file of some steps ago, and the windows it has learned since.

To write all that a scorer knows, some 10 MB, after each step would cost more than the step. A
scorer knows nothing but its file and what it learned since, in the same steps: so the windows of
a step are kept in the transaction that ends it, and the file is written anew once in a while.

Source: ours; a checkpoint and a log after it, as in ARIES (Mohan et al. 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import polars as pl

from features.view import FeatureView
from pipeline.scoring.scorer import STEP, Scorer
from pipeline.stream.border import pack, unpack

__all__ = ["Judge", "Kept", "Learned", "learn"]

NPZ = ".npz"
STEPS, WINDOWS = 20, 2_000
"""How many steps, and windows, a file may be behind: they are learned again after a restart."""

Judge: TypeAlias = Callable[[], Path]
"""Gives the file of a scorer as it was before a step; to be asked before the step is over."""

Learned: TypeAlias = Sequence[tuple[int, bytes]]
"""Steps since a file was written, in order, and the windows of each as bytes."""


class Kept:
    """What is kept of the scorer of one view.

    Parameters
    ----------
    view : FeatureView
    folder : Path
        Of the loop's files.
    file : str, optional
        Name of the scorer's file, where there is one already.
    learned : sequence of (int, bytes)
        What it has learned since.

    Attributes
    ----------
    file : str or None
        The file that goes with the checkpoint.
    """

    def __init__(
        self, view: FeatureView, folder: Path, file: str | None = None, learned: Learned = ()
    ) -> None:
        self.view, self.folder, self.file = view, folder, file
        self._since = [(step, unpack(windows)) for step, windows in learned]

    def scorer(self) -> Scorer:
        """The scorer, bit for bit as it was.

        Raises
        ------
        ModelFileError, OSError
            Its file cannot be read.
        """
        assert self.file is not None
        return self._read(self.file, self._since)

    @property
    def judge(self) -> Judge | None:
        """Gives the scorer's file as it is now, also after `keep`; None where there is none."""
        file, since = self.file, list(self._since)
        if file is None:
            return None

        def found() -> Path:
            if not since:
                return self.folder / file
            path = self._path(since[-1][0])
            self._read(file, since).save(path, cold=True)
            return path

        return found

    def keep(
        self, scorer: Scorer, step: int, windows: pl.DataFrame, *, whole: bool
    ) -> bytes | None:
        """Keep what a scorer has become in a step.

        Parameters
        ----------
        windows : polars.DataFrame
            What it learned, in order.
        whole : bool
            Whether it has learned anything else.

        Returns
        -------
        bytes or None
            The windows, for the checkpoint; None where its file is written anew, and what was
            learned before is in it.
        """
        length = sum(len(each) for _, each in self._since) + len(windows)
        if whole or self.file is None or length > WINDOWS or len(self._since) == STEPS:
            path = self._path(step)
            scorer.save(path, cold=True)
            self.file, self._since = path.name, []
            return None
        windows = windows.rechunk()
        self._since.append((step, windows))
        return pack(windows)

    def forget(self) -> None:
        """Remove the files of before."""
        for file in self.folder.glob(f"{self.view.name}-*{NPZ}"):
            if file.name != self.file:
                file.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / f"{self.view.name}-{step:012}{NPZ}"

    def _read(self, file: str, since: Sequence[tuple[int, pl.DataFrame]]) -> Scorer:
        scorer = Scorer.load(self.view, self.folder / file)
        for _, windows in since:
            learn(scorer, windows)
        return scorer


def learn(scorer: Scorer, windows: pl.DataFrame) -> None:
    """Let a scorer learn the windows of a step, as it does when it scores them."""
    for i in range(0, len(windows), STEP):
        scorer.step(windows[i : i + STEP])
