"""The walk of windows through the exponential past of their entities (`features.baseline`)."""

from __future__ import annotations

import numpy as np
from numba import boolean, float64, int64, void
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["advance", "advance_alone"]

PRIOR_WINDOWS = 50.0
CLIP = 4.0
LEAST_SPREAD = 0.1

WEIGHT, MEAN, SQUARE = 0, 1, 2


@kernel(
    "UniTuple(float64, 2)(float64, float64, float64, float64, float64, float64, boolean, boolean)"
)
def usual(
    x: float,
    own: float,
    own_sum: float,
    weight: float,
    total: float,
    squares: float,
    known: bool,
    shared: bool,
) -> tuple[float, float]:
    """The centre and the spread of what an entity's own past and the population make usual."""
    if weight <= 0.0:
        return x, 1.0
    prior = total / weight
    if not shared:
        # Nothing is known of an entity's own currency but its own past: the prior is the value
        # itself, and a new entity deviates little.
        own_mean = own_sum / own if own > 0.0 else np.nan
        prior = x if known else own_mean
    # The spread is the population's: an entity with a quiet past has too little of its own, and
    # its first busy minute would look impossible.
    spread = max(np.sqrt(squares / weight), LEAST_SPREAD)
    return (own_sum + PRIOR_WINDOWS * prior) / (own + PRIOR_WINDOWS), spread


@kernel(
    void(
        read(int64), read(int64), read(float64, 2), read(boolean), read(boolean), float64, float64,
        float64[:, :, ::1], float64[:, :, ::1], int64[::1], float64[:, ::1], int64[::1],
        float64[:, ::1], float64[:, ::1], float64[:, ::1],
    )
)  # fmt: skip
def advance(
    entity: NDArray[np.int64],
    start: NDArray[np.int64],
    values: NDArray[np.float64],
    ratio: NDArray[np.bool_],
    shared: NDArray[np.bool_],
    every: float,
    half_life: float,
    past: NDArray[np.float64],
    ring: NDArray[np.float64],
    at: NDArray[np.int64],
    population: NDArray[np.float64],
    population_at: NDArray[np.int64],
    recent: NDArray[np.float64],
    typical: NDArray[np.float64],
    z: NDArray[np.float64],
) -> None:
    """Walk windows in order: move each entity's ring, compare with its past, learn."""
    rows, width = values.shape
    length = ring.shape[1]
    total, seen = np.empty(width), np.empty(width)
    for i in range(rows):
        e = entity[i]
        slot = np.int64(start[i] // np.int64(every))
        gone = length
        if at[e] > 0:
            gone = min(np.int64(length), slot - at[e] // np.int64(every))
            past[e] *= 0.5 ** ((start[i] - at[e]) / half_life)
        if population_at[0] > 0:
            population *= 0.5 ** ((start[i] - population_at[0]) / half_life)
        for k in range(gone):
            ring[e, (slot - k) % length] = np.nan
        at[e] = start[i]
        population_at[0] = start[i]
        ring[e, slot % length] = values[i]
        total[:] = 0.0
        seen[:] = 0.0
        for k in range(length):
            for f in range(width):
                known = not np.isnan(ring[e, k, f])
                total[f] += ring[e, k, f] if known else 0.0
                seen[f] += known
        for f in range(width):
            value = values[i, f]
            mean = total[f] / seen[f] if seen[f] > 0 else np.nan
            # A mean of 0 has no logarithm: of a ratio only amounts above 0 are compared.
            known = seen[f] > 0 and not (ratio[f] and mean <= 0.0)
            x = np.log(mean) if ratio[f] and known else mean
            weight = population[f, WEIGHT]
            centre, spread = usual(
                x, past[e, f, WEIGHT], past[e, f, MEAN],
                weight, population[f, MEAN], population[f, SQUARE], known, shared[f],
            )  # fmt: skip
            recent[i, f] = mean
            typical[i, f] = np.exp(centre) if ratio[f] else centre
            z[i, f] = (x - centre) / spread if known else 0.0
            # A silent window says nothing about how large a busy one usually is.
            if known and not np.isnan(value) and not (ratio[f] and value <= 0.0):
                learned = min(max(x, centre - CLIP * spread), centre + CLIP * spread)
                squared = (learned - centre) ** 2 if weight > 0.0 else spread * spread
                for row in (past[e, f], population[f]):
                    row[WEIGHT] += 1.0
                    row[MEAN] += learned
                    row[SQUARE] += squared


@kernel(
    void(
        read(int64), read(int64), read(float64, 2), read(boolean), read(boolean), float64, float64,
        float64[:, :, ::1], float64[:, :, ::1], int64[::1], float64[:, ::1], int64[::1],
        float64[:, ::1], float64[:, ::1], float64[:, ::1],
    )
)  # fmt: skip
def advance_alone(
    entity: NDArray[np.int64],
    start: NDArray[np.int64],
    values: NDArray[np.float64],
    ratio: NDArray[np.bool_],
    shared: NDArray[np.bool_],
    every: float,
    half_life: float,
    past: NDArray[np.float64],
    ring: NDArray[np.float64],
    at: NDArray[np.int64],
    population: NDArray[np.float64],
    population_at: NDArray[np.int64],
    recent: NDArray[np.float64],
    typical: NDArray[np.float64],
    z: NDArray[np.float64],
) -> None:
    """As `advance`, each window alone: what it would move and teach is thrown away."""
    rows, width = values.shape
    length = ring.shape[1]
    total, seen = np.empty(width), np.empty(width)
    # Windows asked for together are often as far from the past as the one before.
    elapsed, faded, own_elapsed, own_faded = 0.0, 1.0, 0.0, 1.0
    for i in range(rows):
        e, slot = entity[i], np.int64(start[i] // np.int64(every))
        new = e >= len(past)
        gone = length
        since, own_since = 0.0, 0.0
        if not new and at[e] > 0:
            gone = min(np.int64(length), slot - at[e] // np.int64(every))
            own_since = (start[i] - at[e]) / half_life
        if population_at[0] > 0:
            since = (start[i] - population_at[0]) / half_life
        if since != elapsed:
            elapsed, faded = since, 0.5**since
        if own_since != own_elapsed:
            own_elapsed, own_faded = own_since, 0.5**own_since
        total[:] = 0.0
        seen[:] = 0.0
        for k in range(length):
            age = (slot - k) % length
            if age == 0:
                moment = values[i]
            elif age >= gone:
                moment = ring[e, k]
            else:
                continue
            for f in range(width):
                if not np.isnan(moment[f]):
                    total[f] += moment[f]
                    seen[f] += 1.0
        for f in range(width):
            mean = total[f] / seen[f] if seen[f] > 0 else np.nan
            known = seen[f] > 0 and not (ratio[f] and mean <= 0.0)
            x = np.log(mean) if ratio[f] and known else mean
            own, own_sum = 0.0, 0.0
            if not new:
                own, own_sum = past[e, f, WEIGHT] * own_faded, past[e, f, MEAN] * own_faded
            centre, spread = usual(
                x, own, own_sum, population[f, WEIGHT] * faded, population[f, MEAN] * faded,
                population[f, SQUARE] * faded, known, shared[f],
            )  # fmt: skip
            recent[i, f] = mean
            typical[i, f] = np.exp(centre) if ratio[f] else centre
            z[i, f] = (x - centre) / spread if known else 0.0
