"""Where a measure is going: its slope over days, with what it may be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.detector import Vector

__all__ = ["LEAST", "Trend", "trend"]

LEAST = 6
"""With fewer values no slope can be told from chance at 95 %."""

NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Trend:
    """A straight line through a measure.

    Parameters
    ----------
    level : float
        Of the line at the last value.
    slope, low, high : float
        Change per unit of time, and between which values it lies with 95 % confidence.
    """

    level: float
    slope: float
    low: float
    high: float

    @property
    def direction(self) -> int:
        """1 where it rises, -1 where it falls, 0 where chance explains it."""
        return int(self.low > 0) - int(self.high < 0)

    def reaches(self, limit: float) -> tuple[float, float] | None:
        """After how much time the line comes to a limit above, at the slope and at the latest.

        None where it does not rise; 0 where it is there.
        """
        if self.direction <= 0:
            return None
        left = max(limit - self.level, 0.0)
        return left / self.slope, left / self.low


def trend(at: Vector, values: Vector) -> Trend | None:
    """The trend of values, None for fewer than `LEAST` finite ones.

    Parameters
    ----------
    at, values : ndarrays of shape (n,)
        Times in ascending order, no two alike, in the unit that slopes are wanted per; values that
        are NaN are left out.

    Source: Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63, 1968. It
    takes values for independent: give means over a time in which a cycle is whole, such as a day.

    >>> days = np.arange(10.0)
    >>> found = trend(days, 40.0 + 2.0 * days)
    >>> found.direction, found.slope, found.level, found.reaches(90.0)
    (1, 2.0, 58.0, (16.0, 16.0))
    """
    known = np.isfinite(values)
    at, values = at[known], values[known]
    if len(values) < LEAST:
        return None
    count = len(values)
    first, second = np.triu_indices(count, 1)
    slopes = np.sort((values[second] - values[first]) / (at[second] - at[first]))
    # By how much Kendall's count of rises minus falls varies where there is no trend.
    spread = NORMAL_95 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    outside = max(round((len(slopes) - spread) / 2) - 1, 0)
    low, high = slopes[outside], slopes[-1 - outside]
    slope = float(np.median(slopes))
    level = float(np.median(values - slope * at)) + slope * float(at[-1])
    return Trend(level, slope, float(low), float(high))
