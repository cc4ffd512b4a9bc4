"""The kernels behind `models.nearest_normal`: distances to a reference, and a running mean."""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["exponential_mean", "mean_distance"]


@kernel(float64[::1](read(float32, 2), read(float32, 2), int64))
def mean_distance(
    X: NDArray[np.float32], reference: NDArray[np.float32], nearest: int
) -> NDArray[np.float64]:
    """Mean Euclidean distance of each row to its nearest reference rows, over sqrt(d).

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
    reference : ndarray of shape (d, m), float32
        One reference row a column, so that the sums of all of them grow side by side.
    nearest : int
        How many of them count, at most m.
    """
    n, d = X.shape
    m = reference.shape[1]
    result = np.empty(n)
    squared = np.empty(m, np.float32)
    best = np.empty(nearest)
    for i in range(n):
        squared[:] = 0.0
        for f in range(d):
            for j in range(m):
                difference = X[i, f] - reference[f, j]
                squared[j] += difference * difference
        best[:] = np.inf
        for j in range(m):
            if squared[j] < best[nearest - 1]:
                place = nearest - 1
                while place > 0 and best[place - 1] > squared[j]:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = squared[j]
        total = 0.0
        for k in range(nearest):
            total += np.sqrt(best[k])
        result[i] = total / nearest / np.sqrt(d)
    return result


@kernel(float64[:, ::1](read(float64, 2), float64))
def exponential_mean(X: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Running exponential mean of each column, shape (n, d); the first row is its own mean.

    Parameters
    ----------
    half_life : float
        In rows.
    """
    means = np.empty_like(X)
    step = 1.0 - 0.5 ** (1.0 / half_life)
    for i in range(len(X)):
        for f in range(X.shape[1]):
            before = means[i - 1, f] if i else X[0, f]
            means[i, f] = before + step * (X[i, f] - before)
    return means
