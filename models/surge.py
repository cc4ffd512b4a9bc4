"""The surge: several amounts at once far above what is typical for the entity."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np

from models.detector import Detector, Matrix, State, Vector, state_value

__all__ = ["Surge"]


class Surge(Detector):
    """Sum of ``log(1 + x)`` over features given as multiples of what is typical.

    A soft conjunction: one amount at a thousand times its usual counts no more than three at
    ten times, and what is below typical counts for little. Nothing is fitted, so it is always
    warm, and each feature's term is its share of the score.

    Scale of the input: multiples, 1 for a typical value; below 0 counts as 0.

    Source: ours; measured in ``docs/detection.md``.

    >>> surge = Surge(["orders", "value", "volatility"])
    >>> surge.score(np.array([[1.0, 1.0, 1.0], [40.0, 90.0, 12.0]])).round(2)
    array([ 2.08, 10.79])
    """

    name: ClassVar[str] = "surge"
    sides: ClassVar[tuple[float, ...]] = (1.0,)

    @property
    def warm(self) -> bool:
        return True

    def terms(self, X: Matrix) -> Matrix:
        """What each feature adds to the score, shape (n, d), at least 0."""
        return np.log1p(np.maximum(X, 0.0))

    def _fit(self, X: Matrix, seed: int) -> None:
        """Nothing is learned: the past is already in the multiples."""

    def _score(self, X: Matrix) -> Vector:
        total: Vector = self.terms(X).sum(axis=1)
        return total

    def state(self) -> State:
        return {"features": list(self.features)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls(state_value(state, "features", list))
