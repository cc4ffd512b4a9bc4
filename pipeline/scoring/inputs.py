"""What arms see of a step's windows: a few matrices, side by side in one.

An arm's detector sees only numbers. Whatever else it needs to know of a window, such as when it
began or whose it is, is one more column of its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.baseline import Deviations
from features.view import Direction, FeatureView

__all__ = ["SIDES", "Input", "Seen", "inputs", "level_of", "value_of"]

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

SIDES: Mapping[Direction, int] = {"high": 1, "low": -1, "both": 0}
# A tenth more or less, or what is less than this in the feature's unit, makes no difference.
PART = 0.1
LEAST = {"%": 1.0, "share": 0.01, "0 or 1": 0.01, "ratio": 0.01, "log": 0.001}
LEAST_OF_OTHERS = 0.1
# What is typical has half a day's weight of yesterday: in the first days of an entity it moves
# because little is known, not because anything changed.
SETTLE_DAYS = 5
HOUR, DAY = 3_600_000_000, 86_400_000_000
MICROSECOND = timedelta(microseconds=1)
# 1 January 1970 was the fourth day of its week, a Thursday.
THURSDAY = 3


@dataclass(frozen=True)
class Seen:
    """The windows of one step, as inputs are built from them.

    Parameters
    ----------
    deviations : Deviations
    entity : ndarray of shape (n,), int64
        The number of each window's entity.
    start : ndarray of shape (n,), int64
        When it began, microseconds from 1970.
    """

    deviations: Deviations
    entity: NDArray[np.int64]
    start: NDArray[np.int64]


@dataclass(frozen=True)
class Input:
    """One kind of matrix: its columns, and how windows become its rows.

    Parameters
    ----------
    columns : tuple of str
        Their names; the first are of features, the rest is context.
    features : list of int
        Which of the view's features the first columns are of.
    build : callable
        From `Seen` to a matrix of shape (n, columns), finite.
    kept : callable
        From a row and, for each of m trials and each feature of the view, the part of its
        deviation that is kept, to the m rows that the input would have been.
    about : dict
        What a detector is told of the columns beside their names: its keyword arguments.
    """

    columns: tuple[str, ...]
    features: list[int]
    build: Callable[[Seen], Matrix]
    kept: Callable[[Vector, Matrix], Matrix]
    about: Mapping[str, Any] = field(default_factory=dict)


def inputs(view: FeatureView) -> dict[str, Input]:
    """Every input of a view, by name.

    ``concern``
        Deviations on the side that is a cause for concern, in spreads; else 0.
    ``multiples``
        The main features as multiples of what is typical; 0 where nothing is known.
    ``differences``
        Differences from what is typical, 1 for the least that matters: a tenth; on the level
        scale at least 1 percentage point of a percentage, 0.01 of a share or ratio, 0.1 % of a
        price, 0.1 of other units. 0 where nothing is known. Then the hour of the day and the day
        of the week (UTC).
    ``levels``
        What is typical of the main features, of all where none is main, in steps of the least
        that matters, 0 where nothing is known; then the entity's number and the time. Empty in
        a view that forgets its entities at once.
    """
    every = list(range(len(view.names)))
    main = [view.names.index(name) for name in view.main]
    # An entity that is forgotten at once has no level that could change.
    followed = (main or every) if view.forget_after else []
    level_names = (*(view.names[f] for f in followed), "entity", "time") if followed else ()
    side = np.array([SIDES[f.direction] for f in view.features])
    daily = max(1, DAY // (view.every // MICROSECOND))

    def concern(seen: Seen) -> Matrix:
        z = seen.deviations.z
        return np.where(side == 0, z, np.maximum(z * side, 0.0))

    def multiples(seen: Seen) -> Matrix:
        recent, typical = seen.deviations.recent[:, main], seen.deviations.typical[:, main]
        known = (recent > 0) & (typical > 0)
        return np.where(known, recent / np.where(known, typical, 1.0), 0.0)

    def differences(seen: Seen) -> Matrix:
        hour, weekday = seen.start // HOUR % 24, (seen.start // DAY + THURSDAY) % 7
        return np.column_stack([_differences(view, seen.deviations), hour, weekday])

    def levels(seen: Seen) -> Matrix:
        if not followed:
            return np.empty((len(seen.start), 0))
        steps = _steps(view, seen.deviations.typical, followed)
        return np.column_stack([steps, seen.entity, seen.start])

    def power(row: Vector, kept: Matrix) -> Matrix:
        return np.where(row > 0, row ** kept[:, main], 0.0)

    def context(row: Vector, kept: Matrix) -> Matrix:
        changed = np.tile(row, (len(kept), 1))
        changed[:, : kept.shape[1]] *= kept
        return changed

    def unchanged(row: Vector, kept: Matrix) -> Matrix:
        return np.tile(row, (len(kept), 1))

    names = view.names
    return {
        "concern": Input(names, every, concern, lambda row, kept: row * kept),
        "multiples": Input(view.main, main, multiples, power),
        "differences": Input(
            (*names, "hour_of_day", "day_of_week"),
            every,
            differences,
            context,
            {"slots": (24, 7), "sides": side.tolist()},
        ),
        # What is typical is the past's doing: the window could have been anything.
        "levels": Input(
            level_names,
            followed,
            levels,
            unchanged,
            {
                "keyed": True,
                "daily": daily,
                "settle": SETTLE_DAYS * daily,
                "sides": side[followed].tolist(),
            },
        ),
    }


def value_of(view: FeatureView, typical: Matrix, differences: Matrix) -> Matrix:
    """The values, in their units, that differ so much from what is typical; shape (n, d)."""
    steps, ratio = differences * _least_that_matters(view, typical), _ratio(view)
    # Steps of a level would overflow as an exponent.
    return np.where(ratio, typical * np.exp(np.where(ratio, steps, 0.0)), typical + steps)


def level_of(view: FeatureView, feature: int, steps: float) -> float:
    """The level of one feature, in its unit, that is so many steps of ``levels``."""
    logarithm = steps * np.log1p(PART)
    if view.features[feature].scale == "ratio":
        return float(np.exp(logarithm))
    return float(np.sinh(logarithm) * _floor(view)[feature] / PART)


def _ratio(view: FeatureView) -> NDArray[np.bool_]:
    return np.array([f.scale == "ratio" for f in view.features])


def _floor(view: FeatureView) -> Vector:
    return np.array([LEAST.get(f.unit, LEAST_OF_OTHERS) for f in view.features])


def _least_that_matters(view: FeatureView, typical: Matrix) -> Matrix:
    """A tenth of what is typical, at least `LEAST`; on the ratio scale that of the logarithm."""
    least = np.maximum(_floor(view), PART * np.abs(typical))
    return np.where(_ratio(view), np.log1p(PART), least)


def _differences(view: FeatureView, deviations: Deviations) -> Matrix:
    recent, typical, ratio = deviations.recent, deviations.typical, _ratio(view)
    # Where a deviation is known so is its quotient, and where it is 0 there is no difference.
    known = deviations.z != 0
    both = known & ratio
    quotient = np.where(both, recent, 1.0) / np.where(both, typical, 1.0)
    off = np.where(ratio, np.log(quotient), recent - typical)
    return np.where(known, off / _least_that_matters(view, typical), 0.0)


def _steps(view: FeatureView, typical: Matrix, columns: Sequence[int]) -> Matrix:
    """Levels of some features in steps: the inverse hyperbolic sine is the logarithm of what is
    large, and in proportion to what is small.
    """
    typical, ratio = np.ascontiguousarray(typical[:, columns]), _ratio(view)[columns]
    small = np.arcsinh(PART * typical / _floor(view)[columns])
    large = np.log(np.where(ratio, typical, 1.0))
    steps: Matrix = np.where(ratio, large, small) / np.log1p(PART)
    return np.where(np.isnan(steps), 0.0, steps)
