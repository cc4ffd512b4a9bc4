"""From a detector's raw score to how rare it is: a tail probability against recent normal."""

from __future__ import annotations

from typing import Self

import numpy as np

from models.detector import State, StateError, Vector, state_array, state_value
from models.kernels.rank import below
from models.sample import Sample

__all__ = ["Calibration", "generalised_pareto"]

SIZE = 200_000
MEMORY = 2_000_000
TAIL = 0.98
LEAST_EXCEEDANCES = 100
PRIOR_SHAPE, PRIOR_NUMBERS = 0.5, 10
SMALLEST = 1e-300


class Calibration:
    """Tail probabilities of raw scores, learned from scores of normal windows.

    Below the 98th percentile of the reference a probability is a conformal rank; above it, the
    tail of a generalised Pareto distribution, so that a score beyond all seen is still told
    from one further beyond, and no probability is ever 0. Without a reference every probability
    is 1: nothing is called rare before normal is known.

    The reference is a `Sample` of the scores learned so far.

    Parameters
    ----------
    bounded : bool
        For scores with a greatest value. Where they run out of range the shape of their tail
        says nothing, so no probability is below that of the most extreme score seen.
    seed : int
        Which scores the sample keeps.
    size, memory : int
        Scores in the reference, and how many scores back it reaches.
    dependence : float, default 1.0
        How many scores in a row say no more than one. Running means are such; where they look
        like many numbers, the tail they show is the shape of a few excursions.

    Source: rank, Vovk et al., Algorithmic Learning in a Random World, 2005; tail, Pickands 1975,
    fitted after Zhang and Stephens, Technometrics 2009.

    >>> normal = np.random.default_rng(0).exponential(size=10_000)
    >>> calibration = Calibration(seed=0)
    >>> calibration.learn(normal)
    >>> calibration.probability(np.array([0.0, np.log(10.0), np.log(1e6)])).round(7)
    array([1.000e+00, 9.969e-02, 2.000e-06])
    """

    def __init__(
        self,
        *,
        bounded: bool = False,
        seed: int,
        size: int = SIZE,
        memory: int = MEMORY,
        dependence: float = 1.0,
    ) -> None:
        self.bounded = bounded
        self.dependence = dependence
        self.sample = Sample(size, 1, seed=seed, memory=memory)
        self._arrange()

    @property
    def warm(self) -> bool:
        """Whether the reference is large enough for a tail to be fitted."""
        return len(self._sorted) * (1 - TAIL) >= LEAST_EXCEEDANCES

    def learn(self, raw: Vector) -> None:
        """Add finite raw scores of normal windows, in order.

        The tail is fitted anew each time the scores learned have grown by a hundredth.
        """
        if not np.isfinite(raw).all():
            raise ValueError("raw scores hold a NaN or an infinity, expected finite numbers")
        self.sample.add(raw[:, None])
        if self.sample.seen >= self._next:
            self._arrange()

    def _arrange(self) -> None:
        self._sorted: Vector = np.sort(self.sample.rows[:, 0])
        self._tail = self._fit_tail()
        self._next = self.sample.seen + max(1, min(self.sample.seen, self.sample.memory) // 100)

    def probability(self, raw: Vector) -> Vector:
        """Chance that a normal window scores at least as high, shape (n,), in (0, 1]."""
        count = len(self._sorted)
        above = count - below(self._sorted, np.ascontiguousarray(raw))
        p = np.asarray((above + 1.0) / (count + 1.0), np.float64)
        if self._tail is not None:
            threshold, shape, scale = self._tail
            share = (count - np.searchsorted(self._sorted, threshold, side="right")) / count
            beyond = raw > threshold
            distance = (raw[beyond] - threshold) / scale
            if shape > 1e-6:
                tail = np.exp(-np.log1p(shape * distance) / shape)
            else:
                tail = np.exp(-distance)
            p[beyond] = np.maximum(share * tail, SMALLEST)
        return p

    def _fit_tail(self) -> tuple[float, float, float] | None:
        if self.bounded or not self.warm:
            return None
        threshold = float(self._sorted[int(TAIL * len(self._sorted))])
        excess = self._sorted[np.searchsorted(self._sorted, threshold, side="right") :] - threshold
        if len(excess) < LEAST_EXCEEDANCES // 2:
            return None
        shape, scale = generalised_pareto(excess)
        # Few numbers easily make a tail look too light, and what lies beyond it too rare: ten
        # more of a heavy tail (Vehtari et al., Pareto smoothed importance sampling, JMLR 2024).
        numbers = len(excess) / self.dependence
        shape = (numbers * shape + PRIOR_NUMBERS * PRIOR_SHAPE) / (numbers + PRIOR_NUMBERS)
        # A negative shape has an end beyond which the probability would be 0.
        return (threshold, shape, scale) if shape > 0 else (threshold, 0.0, float(excess.mean()))

    def state(self) -> State:
        """All that was learned, as arrays and JSON values."""
        return {
            "bounded": self.bounded,
            "rows": self.sample.rows.copy(),
            "sorted": self._sorted.copy(),
            "seen": self.sample.seen,
            "next": self._next,
            "seed": self.sample.seed,
            "size": self.sample.size,
            "memory": self.sample.memory,
            "dependence": self.dependence,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The calibration that `state` describes.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        new = cls(
            bounded=state_value(state, "bounded", bool),
            seed=state_value(state, "seed", int),
            size=state_value(state, "size", int),
            memory=state_value(state, "memory", int),
            dependence=state_value(state, "dependence", float),
        )
        new.sample.restore(state)
        new._next = state_value(state, "next", int)
        ranked = state.get("sorted")
        shape = ranked.shape if isinstance(ranked, np.ndarray) and ranked.ndim == 1 else (0,)
        new._sorted = state_array(state, "sorted", np.float64, shape)
        if not (np.isfinite(new.sample.rows).all() and np.isfinite(new._sorted).all()):
            raise StateError("state holds a NaN or an infinity, expected finite scores")
        new._tail = new._fit_tail()
        return new


def generalised_pareto(excess: Vector) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution of sorted positive numbers.

    Parameters
    ----------
    excess : ndarray of shape (n,), n >= 5
        Ascending, above 0.

    Source: Zhang and Stephens, A new and efficient estimation method for the generalized Pareto
    distribution, Technometrics 51(3), 2009; the sign of the shape as in Pickands 1975.
    """
    n = len(excess)
    grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    steps = np.arange(1, grid + 1) - 0.5
    theta = 1 / excess[-1] + (1 - np.sqrt(grid / steps)) / (3 * quartile)
    # 0 is the exponential distribution, where the formulas below are 0 / 0; equal numbers hit it.
    theta = theta[theta != 0]
    shapes = np.log1p(-theta[:, None] * excess).mean(axis=1)
    likelihood = n * (np.log(-theta / shapes) - shapes - 1)
    weights = np.exp(likelihood - likelihood.max())
    best = float((theta * weights).sum() / weights.sum())
    shape = float(np.log1p(-best * excess).mean())
    return shape, -shape / best
