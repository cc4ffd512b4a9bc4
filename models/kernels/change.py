"""The kernels behind `models.change`: River's Page-Hinkley of many series, a batch a call.

``series`` has shape (keys, d, 12): what River's `drift.PageHinkley` keeps, and beside it where the
sums were at their ends: from there on the level is another.
"""

from __future__ import annotations

import numpy as np
from numba import float64, int64, void
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["WIDTH", "follow", "look"]

COUNT, MEAN, RISE, FALL, LEAST, MOST, DRIFT = 0, 1, 2, 3, 4, 5, 6
# The mean, and the time, when the sums were last at their least and at their most.
LEAST_MEAN, LEAST_TIME, MOST_MEAN, MOST_TIME = 7, 8, 9, 10
# All values there were.
SEEN = 11
WIDTH = 12
# A mean of fewer values, River's default, is not one to differ from.
LEAST_COUNT = 30
# Sums of what is further would overflow.
LARGEST = 1e100


@kernel(void(float64[::1], float64, float64, float64, float64, float64))
def update(
    one: NDArray[np.float64],
    x: float,
    at: float,
    delta: float,
    threshold: float,
    settle: float,
) -> None:
    """Do River's ``update`` for one value, ``alpha`` being 1; pass over the first ``settle``."""
    one[SEEN] += 1.0
    if one[SEEN] <= settle:
        return
    x = min(max(x, -LARGEST), LARGEST)
    if one[DRIFT] > 0.0 or one[COUNT] == 0.0:
        one[:SEEN] = 0.0
        one[LEAST] = np.inf
        one[MOST] = -1.0
    one[COUNT] += 1.0
    one[MEAN] += (1.0 / one[COUNT]) * (x - one[MEAN])
    off = x - one[MEAN]
    one[RISE] = one[RISE] + off - delta
    one[FALL] = one[FALL] + off + delta
    if one[RISE] < one[LEAST]:
        one[LEAST], one[LEAST_MEAN], one[LEAST_TIME] = one[RISE], one[MEAN], at
    if one[FALL] > one[MOST]:
        one[MOST], one[MOST_MEAN], one[MOST_TIME] = one[FALL], one[MEAN], at
    if one[COUNT] >= LEAST_COUNT:
        risen, fallen = one[RISE] - one[LEAST], one[MOST] - one[FALL]
        one[DRIFT] = 1.0 if risen > threshold or fallen > threshold else 0.0


@kernel(
    void(
        read(float64, 2), read(int64), read(float64), float64, float64, float64,
        float64[:, :, ::1],
    )
)  # fmt: skip
def follow(
    X: NDArray[np.float64],
    key: NDArray[np.int64],
    at: NDArray[np.float64],
    delta: float,
    threshold: float,
    settle: float,
    series: NDArray[np.float64],
) -> None:
    """Learn the rows in order, each in the series of its key; exactly 0 says nothing."""
    for i in range(len(X)):
        for f in range(series.shape[1]):
            if X[i, f] != 0.0:
                update(series[key[i], f], X[i, f], at[i], delta, threshold, settle)


@kernel(
    void(
        read(float64, 2), read(int64), read(float64), float64, float64, float64,
        read(float64, 3), float64[:, ::1], float64[:, ::1], float64[:, :, ::1],
    )
)  # fmt: skip
def look(
    X: NDArray[np.float64],
    key: NDArray[np.int64],
    at: NDArray[np.float64],
    delta: float,
    threshold: float,
    settle: float,
    series: NDArray[np.float64],
    risen: NDArray[np.float64],
    fallen: NDArray[np.float64],
    since: NDArray[np.float64],
) -> None:
    """How far each series would have risen and fallen with this row, over the threshold.

    ``since`` gets, for a rise and for a fall, the level before it and the time it began.
    """
    one = np.empty(WIDTH)
    for i in range(len(X)):
        for f in range(series.shape[1]):
            risen[i, f] = fallen[i, f] = 0.0
            since[i, f] = np.nan
            if key[i] >= len(series) or X[i, f] == 0.0:
                continue
            one[:] = series[key[i], f]
            update(one, X[i, f], at[i], delta, threshold, settle)
            if one[COUNT] >= LEAST_COUNT:
                risen[i, f] = max(one[RISE] - one[LEAST], 0.0) / threshold
                fallen[i, f] = max(one[MOST] - one[FALL], 0.0) / threshold
                for k in range(4):
                    since[i, f, k] = one[LEAST_MEAN + k]
