"""The arms of a scorer put together from scikit-learn and River, a batch at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_score import RowByRow
from models.bands import SPREADS
from models.change import DELTA, STEP_DAYS
from models.combine import cauchy_combination
from models.kernels.bands import PRIOR_VISITS
from models.kernels.change import LEAST_COUNT
from pipeline.scoring.inputs import Seen
from pipeline.scoring.scorer import Scorer
from serving.api.matrices import Given

__all__ = ["Composed"]

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


class Composed:
    """What a scorer's arms say of windows, by the libraries' models that learned the same.

    scikit-learn scores a batch; River scores a row, and its statistics are read once a batch. What
    the arms see, calibration and combination no library has: they are ours.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.models = RowByRow(scorer)

    def __call__(self, given: Given) -> Vector:
        """Tail probability of each window."""
        number, deviations = self.scorer.baseline.peek(given.entity, given.start, given.values)
        told = Seen(deviations, number, given.start)
        seen = np.hstack([build.build(told) for build in self.scorer.inputs.values()])
        p = np.column_stack(
            [
                arm.calibration.probability(getattr(self, arm.name)(arm.of(seen)))
                for arm in self.scorer.arms
            ]
        )
        return cauchy_combination(p, np.array([arm.weight for arm in self.scorer.arms]))

    def isolation_forest(self, own: Matrix) -> Vector:
        """By scikit-learn."""
        raw: Vector = -self.models.forest.score_samples(own)
        return raw

    def half_space_trees(self, own: Matrix) -> Vector:
        """By River, which takes one row at a time."""
        low, high = np.array(self.models.lower), np.array(self.models.upper)
        unit = np.divide(own - low, high - low, out=np.full_like(own, 0.5), where=high > low)
        rows = np.clip(unit, 0.0, 1.0).tolist()
        return np.array([self.models.trees.score_one(dict(enumerate(row))) for row in rows])

    def bands(self, own: Matrix) -> Vector:
        """From River's means and variances of each hour and weekday."""
        values, times = own[:, :-2], own[:, -2:]
        sides, total = np.array(self.models.arms["bands"].input.about["sides"]), np.zeros(len(own))
        for hour, day in {tuple(time) for time in times.tolist()}:
            rows = (times == (hour, day)).all(axis=1)
            usual = [self._usual(f, int(hour), int(day)) for f in range(values.shape[1])]
            mean, spread = np.array(usual).T
            off = (values[rows] - mean) / spread
            beyond = np.maximum(np.where(sides == 0, abs(off), off * sides) - 1.0, 0.0)
            total[rows] = np.where(values[rows] != 0.0, beyond, 0.0).sum(axis=1)
        return total

    def _usual(self, f: int, hour: int, day: int) -> tuple[float, float]:
        every = self.models.slots[0][f]
        mean, variance = every.mean.get(), every.get()
        for at in (1 + hour, 25 + day):
            slot, visits = self.models.slots[at][f], self.models.visits[at] - 1.0
            if visits > 0 and slot.mean.n > 1:
                known = visits / (visits + PRIOR_VISITS)
                mean += known * (slot.mean.get() - every.mean.get())
                variance += known * (slot.get() - every.get())
        return mean, max(SPREADS * math.sqrt(max(variance, 0.0)), 1.0)

    def change(self, own: Matrix) -> Vector:
        """From the sums of River's Page-Hinkley tests, which it updates and cannot look at."""
        levels, total = own[:, :-2], np.zeros(len(own))
        for entity in set(own[:, -2].tolist()):
            rows = own[:, -2] == entity
            for f in range(levels.shape[1]):
                test: Any = self.models.test(int(entity), f)
                n, mean = test._x_mean.n + 1.0, test._x_mean.get()
                if n < LEAST_COUNT:
                    continue
                x = levels[rows, f]
                off = x - (mean + (x - mean) / n)
                rise = test._sum_increase + off - DELTA - test._min_increase
                fall = test._max_decrease - test._sum_decrease - off - DELTA
                total[rows] += np.maximum(np.maximum(rise, fall), 0.0)
        return total / (STEP_DAYS * self.models.daily)

    def surge(self, own: Matrix) -> Vector:
        """A sum of logarithms needs no library but numpy."""
        total: Vector = np.log1p(np.maximum(own, 0.0)).sum(axis=1)
        return total
