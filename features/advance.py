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
            weight, own = population[f, WEIGHT], past[e, f, WEIGHT]
            centre, spread = x, 1.0
            if weight > 0.0:
                usual = population[f, MEAN] / weight
                if not shared[f]:
                    # Nothing is known of an entity's own currency but its own past: the prior
                    # is the value itself, and a new entity deviates little.
                    own_mean = past[e, f, MEAN] / own if own > 0.0 else np.nan
                    usual = x if known else own_mean
                centre = (past[e, f, MEAN] + PRIOR_WINDOWS * usual) / (own + PRIOR_WINDOWS)
                # The spread is the population's: an entity with a quiet past has too little of
                # its own, and its first busy minute would look impossible.
                spread = max(np.sqrt(population[f, SQUARE] / weight), LEAST_SPREAD)
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
    """As `advance`, each window with a copy of the past that is then thrown away."""
    none = np.zeros(1, np.int64)
    own_past, own_ring = np.empty((1, *past.shape[1:])), np.empty((1, *ring.shape[1:]))
    own_at, all_past, all_at = np.zeros(1, np.int64), population.copy(), population_at.copy()
    for i in range(len(values)):
        e = entity[i]
        own_past[:], own_ring[:], own_at[:] = 0.0, np.nan, 0
        if e < len(past):
            own_past[0], own_ring[0], own_at[0] = past[e], ring[e], at[e]
        all_past[:], all_at[:] = population, population_at
        advance(
            none, start[i : i + 1], values[i : i + 1], ratio, shared, every, half_life,
            own_past, own_ring, own_at, all_past, all_at,
            recent[i : i + 1], typical[i : i + 1], z[i : i + 1],
        )  # fmt: skip
