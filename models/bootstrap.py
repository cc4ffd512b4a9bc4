"""How far a figure may be trusted: intervals from drawing the judged units again."""

from __future__ import annotations

from collections.abc import Callable
from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from models.detector import Vector

__all__ = ["LEVEL", "bootstrap_interval", "count_interval", "share_interval"]

LEVEL = 0.95
"""Share of intervals that are meant to hold the true figure."""

RESAMPLES = 1_000


def bootstrap_interval(
    statistic: Callable[[NDArray[np.int64]], float],
    units: int,
    *,
    seed: int,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Percentile interval of a figure over units that were drawn with replacement.

    Parameters
    ----------
    statistic : callable
        The figure of the units whose numbers, shape (units,), it is given.
    units : int
        How many there are, at least 1: events, entities or rows.
    seed : int
        Of the draws: two figures of one seed are drawn alike, so their difference is paired.
    level : float
        Share of intervals that are meant to hold the true figure.

    Source: Efron, Bootstrap methods, Annals of Statistics 7(1), 1979; the percentile method.

    >>> values = np.arange(100.0)
    >>> low, high = bootstrap_interval(lambda drawn: values[drawn].mean(), 100, seed=0)
    >>> round(low), round(high)
    (44, 55)
    """
    if units < 1:
        raise ValueError(f"units = {units}, expected at least 1")
    random = np.random.default_rng(seed)
    drawn = [statistic(random.integers(units, size=units)) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def share_interval(found: Vector, *, seed: int, level: float = LEVEL) -> tuple[float, float]:
    """Interval of the share of units that were found.

    Where all or none were, every draw is the same and the bootstrap would claim to be certain;
    the end that is not reached is then the exact binomial bound.

    Parameters
    ----------
    found : ndarray of shape (units,)
        1 for a unit that was found, else 0; at least one unit.

    Source: `bootstrap_interval`; at the ends Clopper and Pearson, Biometrika 26(4), 1934.

    >>> low, high = share_interval(np.ones(22), seed=0)
    >>> round(low, 2), high
    (0.85, 1.0)
    """
    bound = ((1 - level) / 2) ** (1 / max(len(found), 1))
    if len(found) and found.all():
        return bound, 1.0
    if len(found) and not found.any():
        return 0.0, 1 - bound
    return bootstrap_interval(
        lambda drawn: float(found[drawn].mean()), len(found), seed=seed, level=level
    )


def count_interval(count: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Exact interval of the number to be expected where so many independent events were counted.

    Source: Garwood, Fiducial limits for the Poisson distribution, Biometrika 28, 1936.

    >>> [round(end, 2) for end in count_interval(10)], [round(end, 2) for end in count_interval(0)]
    ([4.8, 18.39], [0.0, 3.69])
    """
    if count < 0:
        raise ValueError(f"count = {count}, expected at least 0")
    part = (1 - level) / 2
    low = _poisson_mean(count - 1, 1 - part) if count else 0.0
    return low, _poisson_mean(count, part)


def _poisson_mean(count: int, share: float) -> float:
    """The mean at which so small a count, or a smaller one, comes with this probability."""
    counts = np.arange(count + 1.0)
    factorials = np.array([lgamma(c + 1) for c in counts])
    low, high = 0.0, float(count + 10 * np.sqrt(count + 1) + 10)
    while high - low > 1e-9 * high:
        mean = (low + high) / 2
        more = bool(np.logaddexp.reduce(counts * log(mean) - mean - factorials) > log(share))
        low, high = (mean, high) if more else (low, mean)
    return high
