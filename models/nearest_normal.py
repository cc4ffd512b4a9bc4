"""The distance to the nearest of what was normal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from models.detector import (
    Matrix,
    NotWarmError,
    OnlineDetector,
    State,
    Vector,
    require_positive,
    state_array,
    state_value,
)
from models.kernels.neighbours import mean_distance
from models.sample import Sample

__all__ = ["NearestNormal", "column_scale"]

HISTORY = 4_000
MEMORY = 2_000_000
RENEW = 100


class NearestNormal(OnlineDetector):
    """How far a window is from the nearest of a sample of normal windows.

    Columns are put on one scale by the mean and spread of what was learned. The score is the
    mean distance to the 5 nearest of 1,000 reference rows, in spreads per root of the number of
    columns. Unlike a forest it tells what is far from what is further, and unlike one distance
    from a centre it lets normal have several shapes.

    A fair sample of 4,000 rows of all that was learned is kept; the reference is drawn anew from
    it each time the rows learned have doubled, or grown by 100.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of X.
    nearest : int, default 5
        Reference rows that count.
    reference : int, default 1000
        Reference rows.
    clip : float, default 20
        A column further than this many spreads from its mean is not further: one wild column
        must not outweigh the rest.

    Source: Ramaswamy, Rastogi and Shim, SIGMOD 2000, against a sample as in Sugiyama and
    Borgwardt, NeurIPS 2013; the scale and the clipping are ours.

    >>> history = np.random.default_rng(0).normal(size=(2000, 2))
    >>> near = NearestNormal(["load", "latency"]).fit(history, seed=0)
    >>> near.score(np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 9.0]])).round(1)
    array([0.1, 3. , 7. ])
    """

    name: ClassVar[str] = "nearest_normal"

    def __init__(
        self,
        features: Sequence[str],
        *,
        nearest: int = 5,
        reference: int = 1000,
        clip: float = 20.0,
    ) -> None:
        super().__init__(features)
        require_positive(nearest=nearest, reference=reference)
        self.nearest = nearest
        self.reference = reference
        self.clip = float(clip)
        self._sample: Sample | None = None
        self._next = 1
        self._mean: Vector = np.zeros(len(self.features))
        self._spread: Vector = np.ones(len(self.features))
        self._rows: NDArray[np.float32] = np.empty((len(self.features), 0), np.float32)
        self._usual: Vector = np.empty(0)

    @property
    def warm(self) -> bool:
        return bool(self._rows.shape[1])

    @property
    def usual(self) -> Vector:
        """What each reference row would score against the others, ascending; may be empty."""
        return self._usual

    @property
    def sample(self) -> Sample:
        """The rows kept of all that was learned.

        Raises
        ------
        NotWarmError
            The detector was never fitted.
        """
        if self._sample is None:
            raise NotWarmError(f"{self.name} was never fitted")
        return self._sample

    def _fit(self, X: Matrix, seed: int) -> None:
        self._sample = Sample(HISTORY, len(self.features), seed=seed, memory=MEMORY)
        self._next = len(X)
        self._usual = np.empty(0)
        self._learn(X)

    def _learn(self, X: Matrix) -> None:
        sample, last = self.sample, 0
        # Only the last renewal on the way leaves a trace, whatever pieces the rows come in.
        while self._next <= sample.seen + len(X) - last:
            upto = last + self._next - sample.seen
            sample.add(X[last:upto])
            last = upto
            self._next = sample.seen + min(sample.seen, RENEW)
            if self._next > sample.seen + len(X) - last:
                self._renew()
        sample.add(X[last:])

    def _renew(self) -> None:
        rows = self.sample.rows
        self._mean, self._spread = column_scale(rows)
        order = np.random.default_rng([self.sample.seed, self.sample.seen]).permutation(len(rows))
        scaled = self._scale(rows[order[: self.reference]])
        self._rows = np.ascontiguousarray(scaled.T)
        # Each reference row finds itself at distance 0: one neighbour more, and that one left out.
        others = min(self.nearest, len(scaled) - 1)
        if others:
            distance = mean_distance(scaled, self._rows, others + 1)
            self._usual = np.sort(distance * (others + 1) / others)

    def _scale(self, X: Matrix) -> NDArray[np.float32]:
        z = np.clip((X - self._mean) / self._spread, -self.clip, self.clip)
        return np.ascontiguousarray(z, np.float32)

    def _distance(self, scaled: NDArray[np.float32]) -> Vector:
        return mean_distance(scaled, self._rows, min(self.nearest, self._rows.shape[1]))

    def _score(self, X: Matrix) -> Vector:
        return self._distance(self._scale(X))

    def terms(self, X: Matrix) -> Matrix:
        """What each feature adds to the score, shape (n, d), at least 0: rows sum to the score.

        A distance is shared out by the squares it is made of.
        """
        scaled = self._scale(X).astype(np.float64)
        nearest = min(self.nearest, self._rows.shape[1])
        terms: Matrix = np.zeros(scaled.shape)
        for i, row in enumerate(scaled):
            squared = (row[:, None] - self._rows) ** 2
            total = squared.sum(axis=0)
            # Reference rows that are equal to this one add nothing.
            near = [j for j in np.argsort(total, kind="stable")[:nearest] if total[j] > 0]
            terms[i] = (squared[:, near] / np.sqrt(total[near])).sum(axis=1)
        terms /= nearest * np.sqrt(len(self.features))
        return terms

    def state(self) -> State:
        return {
            "features": list(self.features),
            "nearest": self.nearest,
            "reference": self.reference,
            "clip": self.clip,
            "seed": self.sample.seed,
            "seen": self.sample.seen,
            "rows": self.sample.rows.copy(),
            "next": self._next,
            "mean": self._mean.copy(),
            "spread": self._spread.copy(),
            "references": self._rows.copy(),
            "usual": self._usual.copy(),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = cls(
            state_value(state, "features", list),
            nearest=state_value(state, "nearest", int),
            reference=state_value(state, "reference", int),
            clip=state_value(state, "clip", float),
        )
        width = len(detector.features)
        sample = Sample(HISTORY, width, seed=state_value(state, "seed", int), memory=MEMORY)
        sample.restore(state)
        detector._sample = sample
        detector._next = state_value(state, "next", int)
        detector._mean = state_array(state, "mean", np.float64, (width,))
        detector._spread = state_array(state, "spread", np.float64, (width,))
        kept, told = state.get("references"), state.get("usual")
        columns = kept.shape[1:2] if isinstance(kept, np.ndarray) else ()
        length = told.shape[:1] if isinstance(told, np.ndarray) else ()
        detector._rows = state_array(state, "references", np.float32, (width, *columns))
        detector._usual = state_array(state, "usual", np.float64, length)
        return detector


def column_scale(rows: Matrix) -> tuple[Vector, Vector]:
    """Mean and spread of each column, shapes (d,); no spread is 0.

    The spread is the standard deviation, but at least a thousandth of the range. A column that
    never moved has none: a hundredth of its size stands for it.
    """
    mean = rows.mean(axis=0)
    spread = np.maximum(rows.std(axis=0), 1e-3 * np.ptp(rows, axis=0))
    still = spread <= 1e-12 * np.abs(mean)
    return mean, np.where(still, 1e-6 + 1e-2 * np.abs(mean), spread)
