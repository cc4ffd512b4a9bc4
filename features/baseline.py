"""Each entity against its own past: what is typical for it, and how far the last minute is off.

The past is exponential and starts from the population's, so that a new entity is judged by what
is usual for its kind until it has a past of its own. A kernel walks the windows in order, scores
each against the past and then adds it. History and live stream run the same kernel on the same
order, so both are equal by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import repeat
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.advance import advance, advance_alone
from features.extract import US
from features.view import FeatureView

__all__ = ["Baseline", "Deviations"]

HALF_LIFE = timedelta(days=1)


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
        entity = self.numbers(windows["entity"])
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

    def peek(
        self, names: Sequence[str], start: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], Deviations]:
        """Score windows against the past, each as if it came next, alone, and learn nothing.

        Parameters
        ----------
        names : sequence of n str
            Entities; one that never came before gets the number that would be next.
        start : ndarray of shape (n,), int64
            Microseconds from 1970. One before the newest window learned is judged by it.
        values : ndarray of shape (n, d), float64
            The view's features in order, NaN where unknown.

        Returns
        -------
        ndarray of shape (n,), int64
            The number of each entity.
        Deviations
        """
        known = self._entities
        given = names if self.view.forget_after else ("",) * len(names)
        number = np.fromiter(map(known.get, given, repeat(len(known))), np.int64, len(given))
        recent, typical, z = (np.empty(values.shape) for _ in range(3))
        advance_alone(
            number,
            np.maximum(start, self._population_at[0]),
            np.ascontiguousarray(values),
            self._ratio,
            self._shared,
            float(self.view.every // US),
            float(HALF_LIFE // US),
            self._past[: len(known)],
            self._ring[: len(known)],
            self._at[: len(known)],
            self._population,
            self._population_at,
            recent,
            typical,
            z,
        )
        return number, Deviations(recent, typical, z)

    @property
    def active(self) -> int:
        """Entities with a window within the view's ``forget_after`` of the newest window."""
        oldest = self._population_at[0] - self.view.forget_after // US
        return int((self._at[: len(self._entities)] >= oldest).sum())

    def numbers(self, names: pl.Series) -> NDArray[np.int64]:
        """The number of each entity, from 0 in the order they first came; kept for good.

        What is forgotten at once, as a transaction is, has no past of its own: all such entities
        share one, and memory stays flat.
        """
        if not self.view.forget_after:
            names = pl.repeat("", len(names), eager=True)
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
