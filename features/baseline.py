"""Each entity against its own past: what is typical for it, and how far the last minute is off.

The past is exponential and starts from the population's, so that a new entity is judged by what
is usual for its kind until it has a past of its own. A kernel walks the windows in order, scores
each against the past and then adds it. History and live stream run the same kernel on the same
order, so both are equal by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numba import boolean, float64, int64, void
from numpy.typing import NDArray

from features.extract import US
from features.jit import kernel, read
from features.view import FeatureView

__all__ = ["Baseline", "Deviations"]

HALF_LIFE = timedelta(days=1)
PRIOR_WINDOWS = 50.0
CLIP = 4.0
LEAST_SPREAD = 0.1

WEIGHT, MEAN, SQUARE = 0, 1, 2


@dataclass(frozen=True)
class Deviations:
    """The windows of one step against their past; every array has shape (n, d), float64.

    Parameters
    ----------
    recent
        Mean of the feature over the view's ``recent`` time, the window included.
    typical
        What the entity's past makes usual for ``recent``; NaN where nothing is known of it.
    z
        Signed distance in units of the usual spread, 0 where the feature is unknown. For a
        feature on the ratio scale the distance is between logarithms.
    """

    recent: NDArray[np.float64]
    typical: NDArray[np.float64]
    z: NDArray[np.float64]


class Baseline:
    """The exponential past of every entity of a view.

    Robust because a window further than 4 spreads from the mean is learned as if it were 4 away.

    Parameters
    ----------
    view : FeatureView
        Names the features and their scale, and how long ``recent`` is.

    Source: ours; exponential moments after Welford, winsorised after Huber 1964, shrinkage to
    the population after James and Stein 1961.
    """

    def __init__(self, view: FeatureView) -> None:
        self.view = view
        width = len(view.features)
        ring = max(1, view.recent // view.every)
        self._ratio = np.array([f.scale == "ratio" for f in view.features])
        # An amount in the entity's own currency cannot be compared with another entity's.
        self._shared = np.array([f.unit not in ("base", "quote") for f in view.features])
        self._entities: dict[str, int] = {}
        self._past = np.zeros((0, width, 3))
        self._ring = np.full((0, ring, width), np.nan)
        self._at = np.zeros(0, np.int64)
        self._population = np.zeros((width, 3))
        self._population_at = np.zeros(1, np.int64)

    def update(self, windows: pl.DataFrame) -> Deviations:
        """Score windows against the past, then learn them, one by one in the order given.

        Parameters
        ----------
        windows : polars.DataFrame
            Windows of the view sorted by (start, entity), none before the last ones learned.
        """
        entity = self._numbers(windows["entity"])
        values = windows.select(self.view.names).to_numpy(order="c")
        recent, typical, z = (np.empty(values.shape) for _ in range(3))
        advance(
            entity,
            windows["start"].to_physical().to_numpy(),
            np.ascontiguousarray(values),
            self._ratio,
            self._shared,
            float(self.view.every // US),
            float(HALF_LIFE // US),
            self._past,
            self._ring,
            self._at,
            self._population,
            self._population_at,
            recent,
            typical,
            z,
        )
        return Deviations(recent, typical, z)

    @property
    def active(self) -> int:
        """Entities with a window within the view's ``forget_after`` of the newest window."""
        oldest = self._population_at[0] - self.view.forget_after // US
        return int((self._at[: len(self._entities)] >= oldest).sum())

    def _numbers(self, names: pl.Series) -> NDArray[np.int64]:
        """The row of each entity in the arrays, which grow for new entities."""
        distinct = names.unique(maintain_order=True).to_list()
        for name in distinct:
            self._entities.setdefault(name, len(self._entities))
        missing = len(self._entities) - len(self._at)
        if missing > 0:
            room = max(missing, len(self._at))
            self._past = np.concatenate([self._past, np.zeros((room, *self._past.shape[1:]))])
            self._ring = np.concatenate(
                [self._ring, np.full((room, *self._ring.shape[1:]), np.nan)]
            )
            self._at = np.concatenate([self._at, np.zeros(room, np.int64)])
        numbers = [self._entities[name] for name in distinct]
        found = names.replace_strict(distinct, numbers, return_dtype=pl.Int64)
        return found.cast(pl.Int64).to_numpy()

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything learned, as arrays of numbers and of texts."""
        known = len(self._entities)
        return {
            "entities": np.array(list(self._entities), dtype=np.str_),
            "past": self._past[:known].copy(),
            "ring": self._ring[:known].copy(),
            "at": self._at[:known].copy(),
            "population": self._population.copy(),
            "population_at": self._population_at.copy(),
        }

    @classmethod
    def from_state(cls, view: FeatureView, state: dict[str, NDArray[np.generic]]) -> Baseline:
        """The baseline that `state` described.

        Raises
        ------
        ValueError
            When the state belongs to other features or another length of ``recent``.
        """
        new = cls(view)
        new._entities = {str(name): i for i, name in enumerate(state["entities"])}
        known = len(new._entities)
        # The kernel trusts these shapes: a wrong one would have it write beyond an array.
        new._past = _restored(view, state, "past", (known, *new._past.shape[1:]), float)
        new._ring = _restored(view, state, "ring", (known, *new._ring.shape[1:]), float)
        new._at = _restored(view, state, "at", (known,), np.int64)
        new._population = _restored(view, state, "population", new._population.shape, float)
        new._population_at = _restored(view, state, "population_at", (1,), np.int64)
        return new


def _restored(
    view: FeatureView,
    state: dict[str, NDArray[np.generic]],
    part: str,
    shape: tuple[int, ...],
    kind: type,
) -> NDArray[Any]:
    values: NDArray[Any] = np.array(state[part], dtype=kind, order="C")
    if values.shape != shape:
        raise ValueError(
            f"baseline of {view.name}: state {part!r} has shape {values.shape}; expected {shape}"
        )
    return values


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
