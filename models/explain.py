"""Which features made a score: additive contributions of each arm, joined to one list.

A contribution is signed: above 0 it made the window more unusual than the arm expects of a usual
one, below 0 less. The contributions of a row sum to its score less the usual score, on the scale
that each implementation names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from models.bands import Bands
from models.change import Change
from models.combine import cauchy_terms
from models.detector import Detector, Matrix, Vector, as_matrix
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.kernels.attribution import depth_changes, expected_depth, expected_mass, mass_changes
from models.kernels.forest import PerfectForest
from models.nearest_normal import NearestNormal
from models.surge import Surge

__all__ = [
    "contributions",
    "evidence_shares",
    "expected_ranges",
    "feature_shares",
    "kept_share",
    "level_shifts",
]

STEPS = 32
ROUNDS = 3


@singledispatch
def contributions(detector: Detector, X: Matrix) -> Matrix:
    """What each feature adds to the score of each row, shape (n, d), float64, signed.

    Detectors register their own way; 0 for one that has none: it cannot say what made its score.

    Parameters
    ----------
    detector : Detector
        Warm.
    X : ndarray of shape (n, d), float64, finite
        As the detector scored it.

    >>> surge = Surge(["orders", "value"])
    >>> contributions(surge, np.array([[1.0, 40.0]])).round(2)
    array([[0.  , 3.02]])
    """
    return np.zeros(as_matrix(X, detector.features).shape)


@contributions.register
def _of_surge(detector: Surge, X: Matrix) -> Matrix:
    """Each term less that of a typical amount; the sum is the score less a typical window's."""
    X = as_matrix(X, detector.features)
    changes: Matrix = detector.terms(X) - detector.terms(np.ones_like(X))
    return changes


@contributions.register
def _of_nearest_normal(detector: NearestNormal, X: Matrix) -> Matrix:
    """The squares each distance is made of; the sum is the score, as a reference row scores 0."""
    return detector.terms(as_matrix(X, detector.features))


@contributions.register
def _of_bands(detector: Bands, X: Matrix) -> Matrix:
    """Half-widths outside the range; the sum is the score, as a usual window is inside all."""
    return detector.terms(as_matrix(X, detector.features))


@contributions.register
def _of_change(detector: Change, X: Matrix) -> Matrix:
    """How near each feature's level is to a certain change; the sum is the score."""
    return detector.terms(as_matrix(X, detector.features))


@contributions.register
def _of_isolation_forest(detector: IsolationForest, X: Matrix) -> Matrix:
    """Steps of path saved, over the average path length: the sum is log2 of score over usual."""
    X = as_matrix(X, detector.features)
    forest = detector.forest
    if not forest.normal:
        return np.zeros(X.shape)
    known = _DEPTHS.get(detector)
    if known is None or known[0] is not forest:
        known = _DEPTHS[detector] = (forest, expected_depth(forest))
    changes: Matrix = depth_changes(X, forest.feature, forest.threshold, known[1])
    return changes / forest.normal


@contributions.register
def _of_half_space_trees(detector: HalfSpaceTrees, X: Matrix) -> Matrix:
    """Mass not collected, on the scale of the score: the sum is the score less the mean score."""
    X = as_matrix(X, detector.features)
    spaces = detector.spaces
    limit = 0.1 * spaces.window_size
    expected = expected_mass(spaces.r_mass, limit)
    unit = detector._squash(X)
    changes = mass_changes(unit, spaces.feature, spaces.threshold, spaces.r_mass, expected, limit)
    n_trees, width = spaces.feature.shape
    shares: Matrix = changes / (n_trees * spaces.window_size * (2 * width - 1))
    return shares


@singledispatch
def level_shifts(detector: Detector, X: Matrix) -> tuple[Matrix, Matrix] | None:
    """What each feature's level was before it changed, and since when; None of most detectors.

    Two matrices of shape (n, d), NaN where no change is known, on the scale of the input.
    """
    return None


@level_shifts.register
def _(detector: Change, X: Matrix) -> tuple[Matrix, Matrix] | None:
    return detector.shifts(X)


@singledispatch
def expected_ranges(detector: Detector, X: Matrix) -> tuple[Matrix, Matrix, Matrix] | None:
    """What each feature may be: low, expected, high; None of most detectors.

    Three matrices of shape (n, features that are no seasons), on the scale of the input.
    """
    return None


@expected_ranges.register
def _(detector: Bands, X: Matrix) -> tuple[Matrix, Matrix, Matrix] | None:
    return detector.ranges(X) if detector.warm else None


# The expectations of a fitted forest never change; those of half-space trees do with each window.
_DEPTHS: WeakKeyDictionary[IsolationForest, tuple[PerfectForest, Matrix]] = WeakKeyDictionary()


def evidence_shares(p: Matrix, weights: Vector) -> Matrix:
    """What share of a combined probability's evidence each arm gave, shape (n, k).

    An arm's evidence is its weighted term of the Cauchy combination where that is above 0. Rows
    sum to 1, or to 0 where no arm finds anything unusual.

    Parameters
    ----------
    p, weights
        As given to `models.combine.cauchy_combination`.

    >>> evidence_shares(np.array([[1e-6, 0.5], [1.0, 1.0]]), np.array([0.5, 0.5])).round(3)
    array([[1., 0.],
           [0., 0.]])
    """
    return _shares(cauchy_terms(p) * weights)


def feature_shares(
    changes: Sequence[Matrix], evidence: Matrix, columns: Sequence[Sequence[int]], d: int
) -> Matrix:
    """One share a feature from all arms, shape (n, d): rows sum to 1, or to 0 without evidence.

    Within an arm a feature's share is its contribution over the sum of all above 0.

    Parameters
    ----------
    changes : sequence of k ndarrays of shape (n, d of the arm)
        The `contributions` of each arm.
    evidence : ndarray of shape (n, k)
        From `evidence_shares`.
    columns : sequence of k sequences of int
        Which of the d features the columns of each arm are.
    d : int
        Features in all.

    >>> surge, forest = np.array([[3.0, 1.0]]), np.array([[-1.0, 0.0, 5.0]])
    >>> feature_shares([surge, forest], np.array([[0.8, 0.2]]), [[0, 1], [0, 1, 2]], 3)
    array([[0.6, 0.2, 0.2]])
    """
    total = np.zeros((len(evidence), d))
    for change, given, where in zip(changes, evidence.T, columns, strict=True):
        total[:, where] += _shares(change) * given[:, None]
    return _shares(total)


def _shares(values: Matrix) -> Matrix:
    """Each row's values above 0 over their sum; 0 in a row without any."""
    positive = np.maximum(values, 0.0)
    # Over the largest first: the sum of huge values would overflow, that of tiny ones be 0.
    largest = positive.max(axis=1, keepdims=True, initial=0.0)
    scaled = np.divide(positive, largest, out=np.zeros_like(positive), where=largest > 0)
    total = scaled.sum(axis=1, keepdims=True)
    shares: Matrix = np.divide(scaled, total, out=np.zeros_like(scaled), where=total > 0)
    return shares


def kept_share(usual: Callable[[Vector], NDArray[np.bool_]]) -> float | None:
    """How much of a deviation a window could have had and still be usual, 0 to 1.

    Parameters
    ----------
    usual : callable
        Given shares of the deviation that are kept, shape (m,), tells for each whether a window
        with that much would have been usual.

    Returns
    -------
    float or None
        The greatest such share, found on a grid of 32 steps that is refined twice, so to 1 in
        32,768; arms need not be monotone. None where the window is unusual without any.

    >>> kept_share(lambda t: t < 0.3), kept_share(lambda t: t > 2)
    (0.29998779296875, None)
    """
    high, low = 1.0, 0.0
    for _ in range(ROUNDS):
        kept = np.linspace(high, low, STEPS + 1)
        calm = usual(kept)
        if not calm.any():
            return None
        first = int(calm.argmax())
        if first == 0:
            return high
        high, low = float(kept[first - 1]), float(kept[first])
    return low
