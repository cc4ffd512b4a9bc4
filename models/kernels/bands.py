"""The kernels behind `models.bands`: River's mean and variance of every slot of time, by batches.

``moments`` has shape (slots in all, d, 3): River's ``n``, ``_mean`` and ``_S`` of `stats.Var`.
Slot 0 holds every row, those of the first season follow, then those of the second.
"""

from __future__ import annotations

import numpy as np
from numba import float64, int64, void
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["beyond", "expect", "learn"]

COUNT, MEAN, SQUARES = 0, 1, 2
# Visits to a slot that count as much as all that is known of any time.
PRIOR_VISITS = 2.0
# Squares of what is further would overflow.
LARGEST = 1e100
# What is further outside is not further: a score stays finite.
LARGEST_TERM = 1e100


@kernel(float64(read(float64)))
def river_variance(moment: NDArray[np.float64]) -> float:
    """River's ``Var.get``: the sample variance, 0 of fewer than two values."""
    if moment[COUNT] <= 1.0:
        return 0.0
    variance: float = moment[SQUARES] / (moment[COUNT] - 1.0)
    return variance


@kernel(void(read(float64, 2), read(int64, 2), float64[:, :, ::1], int64[::1], int64[::1]))
def learn(
    X: NDArray[np.float64],
    slot: NDArray[np.int64],
    moments: NDArray[np.float64],
    visits: NDArray[np.int64],
    last: NDArray[np.int64],
) -> None:
    """Do River's ``Var.update`` for each row in order, in each slot that the row is in.

    ``visits`` counts how often a slot was come to from another, ``last`` says where each season
    is. A value of exactly 0 says nothing and is passed over.
    """
    for i in range(len(X)):
        for s in range(slot.shape[1]):
            at = slot[i, s]
            if last[s] != at:
                last[s] = at
                visits[at] += 1
            for f in range(moments.shape[1]):
                x = min(max(X[i, f], -LARGEST), LARGEST)
                if x == 0.0:
                    continue
                before = moments[at, f, MEAN]
                moments[at, f, COUNT] += 1.0
                moments[at, f, MEAN] += (1.0 / moments[at, f, COUNT]) * (x - before)
                moments[at, f, SQUARES] += (x - before) * (x - moments[at, f, MEAN])


@kernel(
    void(
        read(int64, 2), read(float64, 3), read(int64), float64, float64,
        float64[:, ::1], float64[:, ::1],
    )
)  # fmt: skip
def expect(
    slot: NDArray[np.int64],
    moments: NDArray[np.float64],
    visits: NDArray[np.int64],
    spreads: float,
    least: float,
    centre: NDArray[np.float64],
    width: NDArray[np.float64],
) -> None:
    """What is expected of each feature in the slots of each row, and how far it may be off.

    A season moves mean and variance as far as its slot was visited more than once.
    """
    for i in range(len(slot)):
        if i > 0 and (slot[i] == slot[i - 1]).all():
            # Windows mostly come in order of time.
            centre[i], width[i] = centre[i - 1], width[i - 1]
            continue
        for f in range(moments.shape[1]):
            mean, variance = moments[0, f, MEAN], river_variance(moments[0, f])
            centre[i, f], spread = mean, variance
            for s in range(1, slot.shape[1]):
                at = slot[i, s]
                if visits[at] > 1 and moments[at, f, COUNT] > 1.0:
                    known = (visits[at] - 1.0) / (visits[at] - 1.0 + PRIOR_VISITS)
                    centre[i, f] += known * (moments[at, f, MEAN] - mean)
                    spread += known * (river_variance(moments[at, f]) - variance)
            width[i, f] = max(spreads * np.sqrt(max(spread, 0.0)), least)


@kernel(void(read(float64, 2), read(float64, 2), read(float64, 2), read(int64), float64[:, ::1]))
def beyond(
    X: NDArray[np.float64],
    centre: NDArray[np.float64],
    width: NDArray[np.float64],
    sides: NDArray[np.int64],
    terms: NDArray[np.float64],
) -> None:
    """How many half-widths each value is outside its range, on its side of concern; else 0."""
    for i in range(len(centre)):
        for f in range(centre.shape[1]):
            off = (X[i, f] - centre[i, f]) / width[i, f]
            off = abs(off) if sides[f] == 0 else off * sides[f]
            outside = min(max(off - 1.0, 0.0), LARGEST_TERM)
            terms[i, f] = outside if X[i, f] != 0.0 else 0.0
