"""The contract of every detector: one verb pair, one border, one form of state.

A detector gives each row of a matrix a raw score; high is anomalous. The public methods stand
at the border: they check what comes in and then call the underscored method of the detector,
which may trust its input.

Errors::

    ValueError
        MatrixError     a matrix that no detector may see
        StateError      a state that does not describe a detector
    RuntimeError
        NotWarmError    a score asked of a detector that has not seen enough
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from features.jit import kernel

__all__ = [
    "Detector",
    "Matrix",
    "MatrixError",
    "NotWarmError",
    "OnlineDetector",
    "State",
    "StateError",
    "Vector",
    "as_matrix",
    "require_positive",
    "state_array",
    "state_value",
]

Matrix: TypeAlias = NDArray[np.float64]
"""Windows by features, shape (n, d), float64, C-contiguous, finite."""

Vector: TypeAlias = NDArray[np.float64]
"""One number a window, shape (n,), float64."""

State: TypeAlias = Mapping[str, NDArray[Any] | str | int | float | bool | list[Any]]
"""All that a detector has learned: arrays and JSON values only."""

Value = TypeVar("Value", str, int, float, bool, list[Any])

FLOAT64 = np.dtype(np.float64)


class MatrixError(ValueError):
    """A matrix of the wrong type, shape or content came to the border of a detector."""


class NotWarmError(RuntimeError):
    """A score was asked of a detector that has not seen enough to give one."""


class StateError(ValueError):
    """A state lacks a part, or holds one of the wrong type, shape or range."""


@kernel("int64(float64[:, ::1])")
def first_non_finite(X: Matrix) -> int:
    """Return the flat index of the first NaN or infinity of X, or -1."""
    n, d = X.shape
    for i in range(n):
        bad = False
        for j in range(d):
            bad |= not np.isfinite(X[i, j])
        if bad:
            for j in range(d):
                if not np.isfinite(X[i, j]):
                    at: int = i * d + j
                    return at
    return -1


def as_matrix(
    X: object,
    features: Sequence[str],
    entities: Sequence[object] | None = None,
    windows: Sequence[object] | None = None,
) -> Matrix:
    """Return X as the kernels need it, or refuse it by name.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64
        Copied only where it is not C-contiguous and writeable.
    features : sequence of d str
        The names of the columns of X.
    entities, windows : sequence of n objects, optional
        What each row is about and when, for the error message.

    Raises
    ------
    MatrixError
        X is not a float64 array of shape (n, d), or holds a NaN or an infinity.

    Source: ours, DESIGN.md law 4 (non-finite values stop at the border of ``models``).
    """
    if not isinstance(X, np.ndarray) or X.dtype != FLOAT64:
        kind = X.dtype if isinstance(X, np.ndarray) else type(X).__name__
        raise MatrixError(f"X is {kind}, expected a numpy array of float64")
    if X.ndim != 2 or X.shape[1] != len(features):
        raise MatrixError(
            f"X has shape {X.shape}, expected (n, {len(features)}), "
            f"one column for each of: {', '.join(features)}"
        )
    # The kernels are compiled for one memory layout; a copy elsewhere is cheaper than a second
    # set of kernels.
    if not X.flags.carray:
        X = np.array(X, order="C")
    at = first_non_finite(X)
    if at >= 0:
        row, column = divmod(at, len(features))
        about = [f"row {row}"]
        if entities is not None:
            about.append(f"entity {entities[row]}")
        if windows is not None:
            about.append(f"window {windows[row]}")
        raise MatrixError(
            f"feature {features[column]!r} is {X[row, column]} in {', '.join(about)}, "
            "expected a finite number"
        )
    return X


class Detector(ABC):
    """Says how unusual each window is; fitted from history.

    Parameters
    ----------
    features : sequence of str
        The names of the columns of every X, at least one, all different.

    A detector defines ``name`` (its key in the catalogue), ``version`` (of the layout of its
    state), ``sides`` (1.0 and -1.0: whether far above and far below is anomalous), ``warm``,
    ``_fit``, ``_score``, ``state`` and ``from_state``.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    sides: ClassVar[tuple[float, ...]] = (-1.0, 1.0)

    def __init__(self, features: Sequence[str]) -> None:
        self.features = tuple(features)
        if not self.features or len(set(self.features)) != len(self.features):
            raise ValueError(f"features are {self.features}, expected distinct names, at least one")

    @property
    @abstractmethod
    def warm(self) -> bool:
        """Whether the detector has seen enough to score."""

    def fit(self, X: Matrix, *, seed: int) -> Self:
        """Learn from history alone, forgetting anything learned before.

        Parameters
        ----------
        X : ndarray of shape (n, d), float64, n >= 1
            History, in order of time.
        seed : int
            0 to 2**32 - 1; the same seed and history give the same detector.

        Raises
        ------
        MatrixError
            X is refused by `as_matrix`, or is empty.
        """
        X = as_matrix(X, self.features)
        if not len(X):
            raise MatrixError("X has no rows, expected at least 1 to fit")
        self._fit(X, seed)
        return self

    def score(self, X: Matrix) -> Vector:
        """Return the raw score of each row; high is anomalous; nothing is changed.

        Raises
        ------
        MatrixError
            X is refused by `as_matrix`.
        NotWarmError
            The detector is cold: a low score would look like a normal window.
        """
        if not self.warm:
            raise NotWarmError(f"{self.name} is not warm: fit it on more history before scoring")
        return self._score(as_matrix(X, self.features))

    @abstractmethod
    def state(self) -> State:
        """Return a copy of all that was learned, as arrays and JSON values.

        Raises
        ------
        NotWarmError
            The detector was never fitted.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, state: State) -> Self:
        """Return the detector that `state` describes, sharing no memory with it.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """

    @abstractmethod
    def _fit(self, X: Matrix, seed: int) -> None: ...

    @abstractmethod
    def _score(self, X: Matrix) -> Vector: ...


class OnlineDetector(Detector):
    """A detector that goes on learning, row by row in order, after it was fitted."""

    def learn(self, X: Matrix) -> None:
        """Learn the rows of X in order; score them first.

        Raises
        ------
        MatrixError
            X is refused by `as_matrix`.
        NotWarmError
            The detector was never fitted.
        """
        self._learn(as_matrix(X, self.features))

    @abstractmethod
    def _learn(self, X: Matrix) -> None: ...


def require_positive(**parameters: int) -> None:
    """Raise ``ValueError`` that names the first parameter below 1."""
    for name, value in parameters.items():
        if value < 1:
            raise ValueError(f"{name} is {value}, expected 1 or more")


def state_value(state: State, key: str, kind: type[Value]) -> Value:
    """Return a JSON value of a state, or raise `StateError` if it is missing or of another type.

    >>> state_value({"height": 8}, "height", int)
    8
    """
    value = state.get(key)
    if type(value) is not kind:
        raise StateError(f"state {key!r} is {value!r}, expected {kind.__name__}")
    return value


def state_array(state: State, key: str, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a C-contiguous copy of an array of a state, or raise `StateError` if it differs.

    >>> state_array({"clock": np.zeros(2)}, "clock", np.float64, (2,))
    array([0., 0.])
    """
    value = state.get(key)
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != shape:
        found = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else repr(value)
        raise StateError(f"state {key!r} is {found}, expected {np.dtype(dtype)} {shape}")
    return np.array(value, order="C")
