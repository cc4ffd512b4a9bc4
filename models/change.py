"""Changes of level: what no single window shows, and a baseline that adapts would swallow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.detector import (
    Matrix,
    MatrixError,
    NotWarmError,
    OnlineDetector,
    State,
    StateError,
    Vector,
    as_matrix,
    require_positive,
    state_array,
    state_value,
)
from models.kernels.change import WIDTH, follow, look

__all__ = ["CERTAIN", "Change"]

CERTAIN = 1.0
"""At this score a change of level is certain."""

# A level may wander so far from its mean and no change is counted, in steps.
DELTA = 0.5
# A change of one step is certain after so many days, of ten steps after a tenth of that.
STEP_DAYS = 30.0
MOST_KEYS = 10_000_000


class Change(OnlineDetector):
    """How near each series is to a certain change of its level, summed over features.

    The Page-Hinkley test of each feature of each key: by how much the sum of what a value is
    above the mean of all since the last change, less half a step, exceeds its least so far; the
    same downwards. At the threshold, 30 step-days, the change is certain, the score of that
    feature has come to 1, and its series begins anew at the new level. So a level that creeps up
    adds to the score day by day, and one that stays adds nothing.

    Scale of the input: levels, of which a difference of 1 is a step, the least change that
    matters. Exactly 0 says nothing.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of X.
    daily : int, default 1440
        Rows a day of one key.
    settle : int, default 0
        First values of a series that are passed over.
    keyed : bool, default False
        Whether the last two columns of X are the key of a row, a whole number from 0, and its
        time; else all rows are one series. Memory is 96 bytes a feature and key, up to the
        greatest key that was learned.
    sides : sequence of int, optional
        For each feature: 1 if only rises count, -1 if only falls, 0 if both; both by default.

    Source: Page, Biometrika 1954; `river.drift.PageHinkley`, run by our kernel with the same
    numbers, its ``alpha`` being 1.

    >>> levels = np.random.default_rng(0).normal(50.0, 0.2, size=(3000, 1))
    >>> change = Change(["orders"], daily=1000).fit(levels, seed=0)
    >>> change.learn(levels + 3.0)
    >>> change.score(np.array([[53.0]])).round(2)
    array([0.16])
    """

    name: ClassVar[str] = "change"

    def __init__(
        self,
        features: Sequence[str],
        *,
        daily: int = 1440,
        settle: int = 0,
        keyed: bool = False,
        sides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(features)
        require_positive(daily=daily)
        self.daily = daily
        self.settle = settle
        self.keyed = keyed
        self.width = len(self.features) - 2 * keyed
        self.sides_of_concern = tuple(sides) if sides is not None else (0,) * max(self.width, 0)
        if self.width < 1 or len(self.sides_of_concern) != self.width:
            raise ValueError(
                f"{len(self.features)} features, keyed {keyed}, {len(self.sides_of_concern)} "
                "sides; expected a side for each that is neither key nor time"
            )
        if not {-1, 0, 1}.issuperset(self.sides_of_concern):
            raise ValueError(f"sides are {self.sides_of_concern}, expected -1, 0 or 1")
        self._series: NDArray[np.float64] = np.zeros((0, self.width, WIDTH))

    @property
    def warm(self) -> bool:
        return bool(len(self._series))

    def terms(self, X: Matrix) -> Matrix:
        """What each feature adds to the score, shape (n, d): 0 to 1 and 0 for key and time."""
        risen, fallen, _ = self._look(X)
        terms = np.zeros(X.shape)
        terms[:, : self.width] = np.maximum(risen, fallen)
        return terms

    def shifts(self, X: Matrix) -> tuple[Matrix, Matrix]:
        """For each feature of each row the level before it began to change, and when that was.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            As it was scored.

        Returns
        -------
        before, since : ndarrays of shape (n, d)
            NaN where nothing is known; ``since`` on the scale of the column of times.
        """
        X = as_matrix(X, self.features)
        risen, fallen, ends = self._look(X)
        found = np.full((2, *X.shape), np.nan)
        up = (risen >= fallen)[:, :, None]
        told = np.where(up, ends[:, :, :2], ends[:, :, 2:])
        told[(risen == 0.0) & (fallen == 0.0)] = np.nan
        found[:, :, : self.width] = np.moveaxis(told, 2, 0)
        return found[0], found[1]

    def _fit(self, X: Matrix, seed: int) -> None:
        self._series = np.zeros((1, self.width, WIDTH))
        self._learn(X)

    def _learn(self, X: Matrix) -> None:
        if not self.warm:
            raise NotWarmError(f"{self.name} was never fitted")
        key, at = self._keys(X)
        missing = int(key.max(initial=0)) + 1 - len(self._series)
        if missing > 0:
            # Room is doubled, so that many new keys one by one do not copy all each time.
            room = max(missing, len(self._series) if self.keyed else 0)
            more = np.zeros((room, *self._series.shape[1:]))
            self._series = np.concatenate([self._series, more])
        follow(X, key, at, DELTA, STEP_DAYS * self.daily, float(self.settle), self._series)

    def _score(self, X: Matrix) -> Vector:
        total: Vector = self.terms(X).sum(axis=1)
        return total

    def _look(self, X: Matrix) -> tuple[Matrix, Matrix, NDArray[np.float64]]:
        key, at = self._keys(X)
        risen, fallen = (np.empty((len(X), self.width)) for _ in range(2))
        ends = np.empty((len(X), self.width, 4))
        threshold, settle = STEP_DAYS * self.daily, float(self.settle)
        look(X, key, at, DELTA, threshold, settle, self._series, risen, fallen, ends)
        sides = np.array(self.sides_of_concern)
        risen[:, sides < 0] = 0.0
        fallen[:, sides > 0] = 0.0
        return risen, fallen, ends

    def _keys(self, X: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        if not self.keyed:
            return np.zeros(len(X), np.int64), np.zeros(len(X))
        column = X[:, -2]
        # The kernels do not check bounds, and a wild key would take all memory.
        if len(X) and not (column.min() >= 0 and column.max() < MOST_KEYS):
            raise MatrixError(
                f"key {self.features[-2]!r} holds {column.min():g} to {column.max():g}, "
                f"expected 0 to {MOST_KEYS - 1:,}"
            )
        return column.astype(np.int64), np.ascontiguousarray(X[:, -1])

    def state(self) -> State:
        if not self.warm:
            raise NotWarmError(f"{self.name} was never fitted")
        return {
            "features": list(self.features),
            "daily": self.daily,
            "settle": self.settle,
            "keyed": self.keyed,
            "sides": list(self.sides_of_concern),
            "series": self._series.copy(),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        sides, series = state_value(state, "sides", list), state.get("series")
        if not all(type(side) is int for side in sides):
            raise StateError(f"state 'sides' is {sides}, expected whole numbers")
        new = cls(
            state_value(state, "features", list),
            daily=state_value(state, "daily", int),
            settle=state_value(state, "settle", int),
            keyed=state_value(state, "keyed", bool),
            sides=sides,
        )
        keys = series.shape[:1] if isinstance(series, np.ndarray) else ()
        new._series = state_array(state, "series", np.float64, (*keys, new.width, WIDTH))
        return new
