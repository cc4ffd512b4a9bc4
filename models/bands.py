"""Expected ranges: what is usual of each feature at this time of the day and of the week."""

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
    state_array,
    state_value,
)
from models.kernels.bands import beyond, expect, learn

__all__ = ["Bands"]

SPREADS = 3.0


class Bands(OnlineDetector):
    """How far each feature is outside the range expected of it, summed.

    River's mean and variance are kept of each feature over all rows, and of each season's slots:
    of the hours of the day, of the days of the week. What is expected is the mean of all, moved
    towards each slot's own by ``(visits - 1) / (visits + 1)``: a slot that was lived through once
    says nothing, for once is not a season. The variance is moved alike. The range is 3 spreads to
    either side, and at least 1, the least difference that matters in practice: within it nothing
    is rare, however still the past.

    Scale of the input: differences from what is typical, 1 for the least that matters. Exactly 0
    says nothing: it is neither judged nor learned.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of X; the last ones are those of the seasons.
    slots : sequence of int, default ()
        How many slots each season has; its column holds whole numbers from 0 to below that.
    sides : sequence of int, optional
        For each feature: 1 if only what is above its range counts, -1 if only what is below,
        0 if both; both by default.

    Source: `river.stats.Var` (Welford 1962), run by our kernel with the same numbers; the shrunk
    seasons and the least difference are ours.

    >>> history = np.random.default_rng(0).normal(size=(1000, 2)) * [2.0, 0.01]
    >>> bands = Bands(["orders", "price"]).fit(history, seed=0)
    >>> low, expected, high = bands.ranges(history[:1])
    >>> high.round(1)
    array([[6.1, 1. ]])
    >>> bands.score(np.array([[5.0, 0.9], [12.0, 0.9]])).round(1)
    array([0., 1.])
    """

    name: ClassVar[str] = "bands"

    def __init__(
        self,
        features: Sequence[str],
        *,
        slots: Sequence[int] = (),
        sides: Sequence[int] | None = None,
    ) -> None:
        super().__init__(features)
        self.slots = tuple(slots)
        self.width = len(self.features) - len(self.slots)
        self.sides_of_concern = tuple(sides) if sides is not None else (0,) * self.width
        if self.width < 1 or len(self.sides_of_concern) != self.width:
            raise ValueError(
                f"{len(self.features)} features, {len(self.slots)} seasons and "
                f"{len(self.sides_of_concern)} sides; expected a side for each that is no season"
            )
        if min(self.slots, default=1) < 1 or not {-1, 0, 1}.issuperset(self.sides_of_concern):
            raise ValueError(
                f"slots are {self.slots}, sides {self.sides_of_concern}; expected 1 slot or more "
                "a season, and sides of -1, 0 or 1"
            )
        self._first = np.cumsum([1, *self.slots])[:-1]
        self._moments: NDArray[np.float64] = np.zeros((1 + sum(self.slots), self.width, 3))
        self._visits: NDArray[np.int64] = np.zeros(len(self._moments), np.int64)
        self._last: NDArray[np.int64] = np.full(1 + len(self.slots), -1, np.int64)

    @property
    def warm(self) -> bool:
        return bool(self._visits[0])

    def ranges(self, X: Matrix) -> tuple[Matrix, Matrix, Matrix]:
        """What each feature of each row may be: low, expected, high, each of shape (n, width).

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Only the seasons' columns are looked at.

        Raises
        ------
        MatrixError
            X is refused by `as_matrix`, or a season's column holds no slot of it.
        NotWarmError
            Nothing was learned yet.
        """
        if not self.warm:
            raise NotWarmError(f"{self.name} is not warm: fit it before asking for ranges")
        centre, width = self._expect(as_matrix(X, self.features))
        return centre - width, centre, centre + width

    def terms(self, X: Matrix) -> Matrix:
        """What each feature adds to the score, shape (n, d), at least 0: how many half-widths it
        is outside its range; 0 for seasons.
        """
        centre, width = self._expect(X)
        terms = np.zeros(X.shape)
        beyond(X, centre, width, np.array(self.sides_of_concern), terms)
        return terms

    def _fit(self, X: Matrix, seed: int) -> None:
        self._moments[:] = 0.0
        self._visits[:] = 0
        self._last[:] = -1
        self._learn(X)

    def _learn(self, X: Matrix) -> None:
        learn(X, self._slots(X), self._moments, self._visits, self._last)

    def _score(self, X: Matrix) -> Vector:
        total: Vector = self.terms(X).sum(axis=1)
        return total

    def _expect(self, X: Matrix) -> tuple[Matrix, Matrix]:
        centre, width = np.empty((len(X), self.width)), np.empty((len(X), self.width))
        expect(self._slots(X), self._moments, self._visits, SPREADS, 1.0, centre, width)
        return centre, width

    def _slots(self, X: Matrix) -> NDArray[np.int64]:
        """The slots each row is in, shape (n, 1 + seasons): rows of the moments."""
        found = np.zeros((len(X), 1 + len(self.slots)), np.int64)
        for season, (first, slots) in enumerate(zip(self._first, self.slots, strict=True)):
            column = X[:, self.width + season]
            # The kernels do not check bounds.
            if len(X) and not (column.min() >= 0 and column.max() < slots):
                raise MatrixError(
                    f"season {self.features[self.width + season]!r} holds {column.min():g} to "
                    f"{column.max():g}, expected 0 to {slots - 1}"
                )
            found[:, 1 + season] = first + column.astype(np.int64)
        return found

    def state(self) -> State:
        if not self.warm:
            raise NotWarmError(f"{self.name} was never fitted")
        return {
            "features": list(self.features),
            "slots": list(self.slots),
            "sides": list(self.sides_of_concern),
            "moments": self._moments.copy(),
            "visits": self._visits.copy(),
            "last": self._last.copy(),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        slots, sides = state_value(state, "slots", list), state_value(state, "sides", list)
        if not all(type(value) is int for value in (*slots, *sides)):
            raise StateError(f"state 'slots' is {slots}, 'sides' {sides}; expected whole numbers")
        new = cls(state_value(state, "features", list), slots=slots, sides=sides)
        new._moments = state_array(state, "moments", np.float64, new._moments.shape)
        new._visits = state_array(state, "visits", np.int64, new._visits.shape)
        new._last = state_array(state, "last", np.int64, new._last.shape)
        return new
