"""The kernel behind `models.calibration`: where values stand among sorted ones."""

from __future__ import annotations

import numpy as np
from numba import float64, int64
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["below"]


@kernel(int64[::1](read(float64), read(float64)))
def below(ranked: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many of ``ranked``, ascending, are less than each value; all of them than NaN.

    Equal to ``np.searchsorted(ranked, values)``. All values are halved into place together: a step
    is one load and no branch, and those of different values overlap.
    """
    found = np.zeros(len(values), np.int64)
    left = len(ranked)
    while left > 1:
        half = left // 2
        for i in range(len(values)):
            found[i] += half * np.int64(not ranked[found[i] + half - 1] >= values[i])
        left -= half
    if left:
        for i in range(len(values)):
            found[i] += np.int64(not ranked[found[i]] >= values[i])
    return found
