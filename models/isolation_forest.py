"""The isolation forest: fitted by scikit-learn, scored by our kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np

from models.detector import (
    Detector,
    Matrix,
    NotWarmError,
    State,
    StateError,
    Vector,
    require_positive,
    state_array,
    state_value,
)
from models.kernels.forest import PerfectForest

__all__ = ["IsolationForest"]

FLOAT32_MAX = float(np.finfo(np.float32).max)


class IsolationForest(Detector):
    """How few random cuts set a window apart from a sample of history.

    The score is scikit-learn's ``-score_samples``, equal to 1e-12: 0 to 1, about 0.5 or less for
    a window like the others, towards 1 for one that few cuts isolate. Values are compared in
    float32, as in scikit-learn. Warm as soon as it is fitted.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of X.
    n_estimators : int, default 100
        Trees.
    max_samples : int, default 256
        Rows of history that each tree is grown from; all of them where there are fewer.

    Source: Liu, Ting and Zhou, Isolation forest, ICDM 2008; the fit is scikit-learn's.

    >>> history = np.random.default_rng(0).normal(size=(500, 2))
    >>> forest = IsolationForest(["volume", "spread"]).fit(history, seed=0)
    >>> usual, far = forest.score(np.array([[0.0, 0.0], [9.0, 9.0]]))
    >>> usual < 0.5 < far
    np.True_
    """

    name: ClassVar[str] = "isolation_forest"

    def __init__(
        self, features: Sequence[str], *, n_estimators: int = 100, max_samples: int = 256
    ) -> None:
        super().__init__(features)
        require_positive(n_estimators=n_estimators, max_samples=max_samples)
        self.n_estimators = n_estimators
        self.max_samples = max_samples
        self._forest: PerfectForest | None = None

    @property
    def warm(self) -> bool:
        return self._forest is not None

    @property
    def forest(self) -> PerfectForest:
        """The fitted trees.

        Raises
        ------
        NotWarmError
            The detector was never fitted.
        """
        if self._forest is None:
            raise NotWarmError(f"{self.name} was never fitted")
        return self._forest

    def _fit(self, X: Matrix, seed: int) -> None:
        # A process that only scores never needs scikit-learn, which is slow to import.
        from sklearn import ensemble

        model = ensemble.IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=min(self.max_samples, len(X)),
            contamination="auto",
            random_state=seed,
        )
        model.fit(np.clip(X, -FLOAT32_MAX, FLOAT32_MAX))
        self._forest = PerfectForest.from_sklearn(model)

    def _score(self, X: Matrix) -> Vector:
        return self.forest.score(X)

    def state(self) -> State:
        forest = self.forest
        return {
            "features": list(self.features),
            "n_estimators": self.n_estimators,
            "max_samples": self.max_samples,
            "height": int(forest.feature.shape[1]).bit_length() - 1,
            "feature": forest.feature.copy(),
            "threshold": forest.threshold.copy(),
            "path_length": forest.path_length.copy(),
            "normal": forest.normal,
        }

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = cls(
            state_value(state, "features", list),
            n_estimators=state_value(state, "n_estimators", int),
            max_samples=state_value(state, "max_samples", int),
        )
        height = state_value(state, "height", int)
        if not 1 <= height <= 31:
            raise StateError(f"state 'height' is {height}, expected 1 to 31")
        shape = (detector.n_estimators, 2**height)
        feature = state_array(state, "feature", np.uint32, shape)
        # The kernels do not check bounds.
        if feature.max() >= len(detector.features):
            raise StateError(
                f"state 'feature' names column {feature.max()}, "
                f"expected less than {len(detector.features)}"
            )
        detector._forest = PerfectForest(
            feature,
            state_array(state, "threshold", np.float32, shape),
            state_array(state, "path_length", np.float64, shape),
            state_value(state, "normal", float),
        )
        return detector
