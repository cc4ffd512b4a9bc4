"""What a slot of the season and the block before foretell of a column of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.detector import Matrix, Vector

__all__ = ["carried", "deseasoned", "known_mean"]

# Standard errors by which the memory is taken to be longer than it looks: too short a one lets
# what belongs together count as evidence again and again.
CAUTION, LONGEST_MEMORY = 2.0, 0.98


def known_mean(values: Matrix) -> Vector:
    """Mean along the first axis of what is not NaN; 0 where nothing is.

    >>> known_mean(np.array([[1.0, np.nan], [3.0, np.nan]]))
    array([2., 0.])
    """
    known = np.isfinite(values)
    total: Vector = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return total


def deseasoned(values: Matrix, slot: NDArray[np.int64], season: int) -> tuple[Matrix, Matrix]:
    """The mean of each slot, and each value less the mean of the others in its slot.

    Of the others, because new values have no part in the mean that they are compared with either.

    Parameters
    ----------
    values : ndarray of shape (n, d)
        NaN where unknown.
    slot : ndarray of shape (n,)
        0 to ``season`` - 1.

    Returns
    -------
    profile, level : ndarrays of shape (season, d) and (n, d)
        NaN where nothing is known: a slot without values, a value without others.

    >>> profile, level = deseasoned(np.array([[1.0], [7.0], [3.0]]), np.array([0, 1, 0]), 2)
    >>> profile.tolist(), level.tolist()
    ([[2.0], [7.0]], [[-2.0], [nan], [2.0]])
    """
    known = np.isfinite(values)
    total, count = (np.zeros((season, values.shape[1])) for _ in range(2))
    np.add.at(total, slot, np.where(known, values, 0.0))
    np.add.at(count, slot, known)
    profile = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    others, left = count[slot] - 1, total[slot] - values
    left = np.divide(left, others, out=np.full_like(values, np.nan), where=others > 0)
    return profile, values - left


def carried(block: NDArray[np.int64], level: Matrix) -> Vector:
    """How much of a block's level the next block keeps, each column, from 0 to 0.98.

    Parameters
    ----------
    block : ndarray of shape (n,)
        Numbers of the blocks, ascending; only neighbours tell.
    level : ndarray of shape (n, d)
        NaN where unknown.

    Source: autoregression of order 1; its bias, Kendall, Biometrika 41, 1954; the upper end of its
    interval in place of the estimate is ours.
    """
    if len(block) < 2:
        return np.zeros(level.shape[1])
    centred = level - known_mean(level)
    pairs = np.where((np.diff(block) == 1)[:, None], centred[1:] * centred[:-1], np.nan)
    count = np.maximum(np.isfinite(pairs).sum(axis=0), 1)
    variance = known_mean(centred**2)
    kept = np.divide(known_mean(pairs), variance, out=np.zeros_like(variance), where=variance > 0)
    kept += (1 + 3 * kept) / count
    error = np.sqrt(np.maximum(1 - kept**2, 0.0) / count)
    cautious: Vector = np.clip(kept + CAUTION * error, 0.0, LONGEST_MEMORY)
    return cautious
