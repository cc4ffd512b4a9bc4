"""Half-space trees: River's online model, run by our kernel, on features squashed to [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from features.jit import kernel
from models.detector import (
    Matrix,
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
from models.kernels.half_space import HalfSpaces

__all__ = ["HalfSpaceTrees"]

# The bulk of history, from this quantile to its mirror, fills the middle half of the unit
# interval: what lies outside still has room to differ before it is clipped.
TAIL = 0.01


@kernel("float64[:, ::1](float64[:, ::1], float64[::1], float64[::1])")
def squash(X: Matrix, lower: Vector, upper: Vector) -> Matrix:
    """Map each column from [lower, upper] to [0, 1], clipped; 0.5 where the two are equal."""
    n, d = X.shape
    unit = np.empty((n, d))
    for i in range(n):
        for j in range(d):
            # Halves, so that no difference of finite numbers overflows.
            low = 0.5 * lower[j]
            width = 0.5 * upper[j] - low
            part = (0.5 * X[i, j] - low) / width if width > 0.0 else 0.5
            unit[i, j] = min(max(part, 0.0), 1.0)
    return unit


class HalfSpaceTrees(OnlineDetector):
    """How empty the part of space around a window was in the last complete window of rows.

    Scores are River's, 0 to 1, exactly. Cold until ``window_size`` rows are learned, the history
    given to ``fit`` included: River scores 0 until then, this detector does not score. One writer
    a detector: learning is not safe beside another thread's learning or scoring.

    Features are squashed to [0, 1] by limits taken from history at ``fit``: the 1 % and 99 %
    quantiles come to 0.25 and 0.75, and what lies outside [0, 1] is clipped. A column whose
    quantiles are equal uses its extremes instead; one that is constant is always 0.5.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of X.
    n_trees : int, default 25
    height : int, default 8
        Steps from the root to a leaf; a tree has ``2 ** (height + 1) - 1`` nodes.
    window_size : int, default 250
        Rows after which the masses that score are replaced by those just learned.

    Source: Tan, Ting and Liu, Fast anomaly detection for streaming data, IJCAI 2011; the random
    cuts are River's, the squashing is ours.

    >>> history = np.random.default_rng(0).normal(size=(500, 2))
    >>> trees = HalfSpaceTrees(["volume", "spread"]).fit(history, seed=0)
    >>> usual, far = trees.score(np.array([[0.0, 0.0], [9.0, 9.0]]))
    >>> usual < far
    np.True_
    """

    name: ClassVar[str] = "half_space_trees"

    def __init__(
        self,
        features: Sequence[str],
        *,
        n_trees: int = 25,
        height: int = 8,
        window_size: int = 250,
    ) -> None:
        super().__init__(features)
        require_positive(n_trees=n_trees, height=height, window_size=window_size)
        self.n_trees = n_trees
        self.height = height
        self.window_size = window_size
        self._lower: Vector = np.zeros(len(self.features))
        self._upper: Vector = np.zeros(len(self.features))
        self._spaces: HalfSpaces | None = None

    @property
    def warm(self) -> bool:
        return self._spaces is not None and self._spaces.warm

    @property
    def spaces(self) -> HalfSpaces:
        """The trees, over squashed features.

        Raises
        ------
        NotWarmError
            The detector was never fitted.
        """
        if self._spaces is None:
            raise NotWarmError(f"{self.name} was never fitted")
        return self._spaces

    def score_learn(self, X: Matrix) -> Vector:
        """Score each row and then learn it, in order: one call for a whole prequential run.

        Returns
        -------
        ndarray of shape (n,), float64
            NaN where the detector was still cold when the row came: it has no score.

        Raises
        ------
        MatrixError
            X is refused by `as_matrix`.
        NotWarmError
            The detector was never fitted.
        """
        unit = self._squash(as_matrix(X, self.features))
        cold = self.spaces.cold_rows
        scores = self.spaces.score_learn(unit)
        scores[:cold] = np.nan
        return scores

    def _fit(self, X: Matrix, seed: int) -> None:
        low, high = np.quantile(X, [TAIL, 1 - TAIL], axis=0, method="inverted_cdf")
        # Halves, so that no difference of finite numbers overflows.
        margin = 0.5 * high - 0.5 * low
        largest = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            lower = np.clip(low - margin, -largest, largest)
            upper = np.clip(high + margin, -largest, largest)
        narrow = low == high
        self._lower = np.where(narrow, X.min(axis=0), lower)
        self._upper = np.where(narrow, X.max(axis=0), upper)
        self._spaces = HalfSpaces.grow(
            len(self.features),
            n_trees=self.n_trees,
            height=self.height,
            window_size=self.window_size,
            seed=seed,
        )
        self._learn(X)

    def _score(self, X: Matrix) -> Vector:
        return self.spaces.score(self._squash(X))

    def _learn(self, X: Matrix) -> None:
        self.spaces.learn(self._squash(X))

    def _squash(self, X: Matrix) -> Matrix:
        return squash(X, self._lower, self._upper)

    def state(self) -> State:
        spaces = self.spaces
        return {
            "features": list(self.features),
            "n_trees": self.n_trees,
            "height": self.height,
            "window_size": self.window_size,
            "lower": self._lower.copy(),
            "upper": self._upper.copy(),
            "feature": spaces.feature.copy(),
            "threshold": spaces.threshold.copy(),
            "l_mass": spaces.l_mass.copy(),
            "r_mass": spaces.r_mass.copy(),
            "clock": spaces.clock.copy(),
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = cls(
            state_value(state, "features", list),
            n_trees=state_value(state, "n_trees", int),
            height=state_value(state, "height", int),
            window_size=state_value(state, "window_size", int),
        )
        if detector.height > 30:
            raise StateError(f"state 'height' is {detector.height}, expected 1 to 30")
        cuts = (detector.n_trees, 2**detector.height)
        nodes = (detector.n_trees, 2 ** (detector.height + 1))
        columns = (len(detector.features),)
        feature = state_array(state, "feature", np.uint32, cuts)
        # The kernels do not check bounds.
        if feature.max() >= len(detector.features):
            raise StateError(
                f"state 'feature' names column {feature.max()}, "
                f"expected less than {len(detector.features)}"
            )
        clock = state_array(state, "clock", np.int64, (2,))
        if not 0 <= clock[0] < detector.window_size or clock[1] < 0:
            raise StateError(
                f"state 'clock' is {clock.tolist()}, "
                f"expected less than {detector.window_size} rows, and windows from 0"
            )
        detector._lower = state_array(state, "lower", np.float64, columns)
        detector._upper = state_array(state, "upper", np.float64, columns)
        detector._spaces = HalfSpaces(
            feature,
            state_array(state, "threshold", np.float64, cuts),
            state_array(state, "l_mass", np.int32, nodes),
            state_array(state, "r_mass", np.int32, nodes),
            clock,
            detector.window_size,
        )
        return detector
