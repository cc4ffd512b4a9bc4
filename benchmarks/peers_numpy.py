"""The recurrence of ``features.baseline`` in plain numpy: a row at a time, all features at once."""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np
from numpy.typing import NDArray

from features.advance import CLIP, LEAST_SPREAD, PRIOR_WINDOWS
from features.baseline import HALF_LIFE
from features.view import FeatureView

__all__ = ["deviations"]

Floats = NDArray[np.float64]


def deviations(
    view: FeatureView, entity: list[str], start: NDArray[np.int64], values: Floats
) -> Floats:
    """Signed distances of windows from their past, shape (n, d); see `Baseline.update`.

    Parameters
    ----------
    start : ndarray of shape (n,)
        Microseconds. No entity misses a window.
    values : ndarray of shape (n, d)
        Features in the order of the view; none is NaN.
    """
    ratio = np.array([f.scale == "ratio" for f in view.features])
    shared = np.array([f.unit not in ("base", "quote") for f in view.features])
    half_life = HALF_LIFE.total_seconds() * 1e6
    length = view.recent // view.every
    population, population_at = np.zeros((3, values.shape[1])), 0
    pasts: dict[str, Floats] = {}
    at: dict[str, int] = {}
    rings: dict[str, deque[Floats]] = defaultdict(lambda: deque(maxlen=length))
    z = np.zeros(values.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, (name, now) in enumerate(zip(entity, start.tolist(), strict=True)):
            past = pasts.setdefault(name, np.zeros_like(population))
            past *= 0.5 ** ((now - at.get(name, now)) / half_life)
            population *= 0.5 ** ((now - population_at) / half_life) if population_at else 1.0
            at[name] = population_at = now
            ring = rings[name]
            ring.append(values[i])
            mean = np.mean(ring, axis=0)
            known = ~(ratio & (mean <= 0))
            x = np.where(ratio & known, np.log(mean), mean)
            weight, seen = population[0], population[0] > 0
            usual = np.where(shared, population[1] / weight, np.where(known, x, past[1] / past[0]))
            centre = np.where(
                seen, (past[1] + PRIOR_WINDOWS * usual) / (past[0] + PRIOR_WINDOWS), x
            )
            spread = np.where(seen, np.maximum(np.sqrt(population[2] / weight), LEAST_SPREAD), 1.0)
            z[i] = np.where(known, (x - centre) / spread, 0.0)
            learned = np.clip(x, centre - CLIP * spread, centre + CLIP * spread)
            squared = np.where(seen, (learned - centre) ** 2, spread * spread)
            learns = known & ~(ratio & (values[i] <= 0))
            moments = np.stack([np.ones_like(x), learned, squared])[:, learns]
            past[:, learns] += moments
            population[:, learns] += moments
    return z
