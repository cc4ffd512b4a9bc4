"""One arm of a scorer: a detector, how rare its scores are, and what it learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.calibration import Calibration
from models.detector import Detector, Matrix, OnlineDetector, Vector
from models.nearest_normal import NearestNormal

__all__ = ["Arm"]


@dataclass
class Arm:
    """A detector, the calibration of its scores, its share of the false alarms, its input.

    ``multiples`` says which of the two matrices the detector sees: the main features as
    multiples of what is typical, or every feature's deviation on its side of concern.
    """

    detector: Detector
    calibration: Calibration
    weight: float
    multiples: bool = False

    def score(self, concern: Matrix, multiples: Matrix) -> pl.Series:
        """Tail probability of each row; 1 while the detector is cold: nothing is known."""
        X = multiples if self.multiples else concern
        name = f"p_{self.detector.name}"
        if not self.detector.warm:
            self.raw = np.full(len(X), np.nan)
            return pl.Series(name, np.ones(len(X)))
        self.raw = self.detector.score(X)
        return pl.Series(name, self.calibration.probability(self.raw))

    def learn(self, concern: Matrix, raw: Vector) -> None:
        """Learn windows and what their raw scores were, NaN where the detector was cold."""
        if self.detector.warm:
            self.calibration.learn(raw[np.isfinite(raw)])
            if isinstance(self.detector, OnlineDetector):
                self.detector.learn(concern)

    def fit(self, concern: Matrix, *, seed: int) -> bool:
        """Fit a batch arm anew, or start an online arm; whether there was anything to fit."""
        online = isinstance(self.detector, OnlineDetector)
        if self.multiples or (online and self.detector.warm):
            return False
        self.detector.fit(concern, seed=seed)
        self.calibration = Calibration(bounded=self.calibration.bounded, seed=seed)
        if isinstance(self.detector, NearestNormal):
            self.calibration.learn(self.detector.usual)
        elif self.detector.warm:
            self.calibration.learn(self.detector.score(concern))
        return self.detector.warm
