"""One arm of a scorer: a detector, how rare its scores are, and what it sees and learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.calibration import Calibration
from models.catalogue import KINDS, Kind
from models.detector import Detector, Matrix, OnlineDetector, Vector
from pipeline.scoring.inputs import Input

__all__ = ["Arm", "arms_of"]


@dataclass
class Arm:
    """A detector, the calibration of its scores, its share of the false alarms, its input.

    Parameters
    ----------
    kind : Kind
        Its line in the catalogue.
    detector : Detector
    calibration : Calibration
    weight : float
        Its share of the false alarms; those of all arms sum to 1.
    input : Input
    place : slice
        Where the input stands in the matrix of all inputs side by side.
    """

    kind: Kind
    detector: Detector
    calibration: Calibration
    weight: float
    input: Input
    place: slice

    @property
    def name(self) -> str:
        """The detector's."""
        return self.detector.name

    def of(self, seen: Matrix) -> Matrix:
        """The arm's own columns of all that is seen, C-contiguous."""
        return np.ascontiguousarray(seen[:, self.place])

    def score(self, seen: Matrix) -> tuple[Vector, Vector]:
        """Raw score and tail probability of each row; NaN and 1 while nothing is known."""
        if not self.detector.warm:
            return np.full(len(seen), np.nan), np.ones(len(seen))
        raw = self.detector.score(self.of(seen))
        return raw, self.calibration.probability(raw)

    def follow(self, seen: Matrix, *, seed: int) -> None:
        """Learn windows that were just scored, if the arm learns everything."""
        if self.kind.learns != "everything" or not len(seen):
            return
        if isinstance(self.detector, OnlineDetector) and self.detector.warm:
            self.detector.learn(self.of(seen))
        else:
            self._start(self.of(seen), seed)

    def learn(self, seen: Matrix, raw: Vector) -> None:
        """Learn windows and what their raw scores were, NaN where the detector was cold."""
        if self.detector.warm:
            self.calibration.learn(raw[np.isfinite(raw)])
            if isinstance(self.detector, OnlineDetector) and self._guarded:
                self.detector.learn(self.of(seen))

    def fit(self, history: Matrix, *, seed: int) -> bool:
        """Fit a batch arm anew, or start an online arm; whether there was anything to fit."""
        online = isinstance(self.detector, OnlineDetector)
        if not self._guarded or (online and self.detector.warm):
            return False
        self._start(self.of(history), seed)
        return self.detector.warm

    def _start(self, own: Matrix, seed: int) -> None:
        self.detector.fit(own, seed=seed)
        self.calibration = Calibration(bounded=self.kind.bounded, seed=seed)
        if self.detector.warm:
            self.calibration.learn(self.kind.usual(self.detector, own))

    @property
    def _guarded(self) -> bool:
        return self.kind.learns == "admitted"


def arms_of(given: Mapping[str, Input], *, seed: int) -> list[Arm]:
    """The arms of a view: those of the catalogue that have an input in it, of chiefs the first.

    Parameters
    ----------
    given : mapping of name to Input
        All inputs of the view, in the order they stand side by side.
    """
    kinds = [kind for kind in KINDS if given[kind.sees].columns]
    left = 1.0 - sum(kind.share for kind in kinds if kind.share is not None)
    ends = np.cumsum([len(of.columns) for of in given.values()]).tolist()
    places = {
        name: slice(end - len(given[name].columns), end)
        for name, end in zip(given, ends, strict=True)
    }
    arms: list[Arm] = []
    for kind in kinds:
        if kind.share is None and any(arm.kind.share is None for arm in arms):
            continue
        of = given[kind.sees]
        arms.append(
            Arm(
                kind,
                kind.detector(of.columns, **of.about),
                Calibration(bounded=kind.bounded, seed=seed),
                left if kind.share is None else kind.share,
                of,
                places[kind.sees],
            )
        )
    return arms
