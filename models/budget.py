"""From an alert budget to a threshold: windows that are rare come in clusters, alerts do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from features.jit import kernel
from models.detector import State, StateError, Vector, state_array
from models.metrics import SAME_ALERT_S

__all__ = ["AlertBudget", "count_alerts", "split", "worth"]

LEVELS = np.geomspace(1e-3, 1e6, 145)
LEAST_ALERTS = 20
# How far a threshold may be moved to make up for alerts that were too many or too few.
LEAST_PACE, MOST_PACE = 0.5, 2.0
# Verdicts that are assumed before there are any, and the least share of a budget they can leave.
WORTH, LEAST_WORTH = 10, 0.25
# Beyond this power two measured levels say more about their own noise than about clusters.
MOST_GROWTH = 4.0


class AlertBudget:
    """How many alerts a day follow from alerting below a level of ``per_day``, and the inverse.

    ``per_day`` counts windows. Windows of an entity less than 10 minutes apart are one alert, so
    alerts are fewer than windows by the extremal index of the scores. It is measured on normal
    history at each level that has 20 alerts there, and with it whatever a calibration is off by.
    At rarer levels the law holds by which alerts grow from the rarest measured one to their double.

    A lower bar does not give ever more alerts: in the end they all merge. No threshold is told
    beyond the level with the most alerts.

    Source: runs estimator of the extremal index, Smith and Weissman, Estimating the extremal
    index, JRSS B 56(3), 1994; its run length is how far apart alerts are told from one another.

    >>> rng = np.random.default_rng(0)
    >>> first = np.arange(10_000) * 3600.0
    >>> end = np.concatenate([first, first + 5.0])  # windows come in pairs
    >>> rate = np.tile(rng.random(10_000) * 48.0, 2)  # 48 a day
    >>> budget = AlertBudget.fit(np.zeros(20_000, np.int64), end, rate, days=10_000 / 24)
    >>> round(budget.threshold(1.0), 1), round(budget.threshold(0.01), 2)
    (2.0, 0.02)
    """

    def __init__(self, levels: Vector, alerts: Vector) -> None:
        self.levels = levels
        self.alerts = alerts

    @classmethod
    def fit(
        cls,
        entity: NDArray[np.int64],
        end: Vector,
        per_day: Vector,
        *,
        days: float,
        apart: float = SAME_ALERT_S,
    ) -> Self:
        """Measure on warm windows of normal history, known incidents left out.

        Parameters
        ----------
        entity, end, per_day : ndarrays of shape (n,)
            Entity number, end of the window in seconds, how often normal life brings such a
            window, 1/day.
        days : float
            What the history covers, above 0.
        apart : float, default 600.0
            Seconds from which on two windows of an entity are two alerts. At 0 each window is one,
            for a budget of windows.

        Raises
        ------
        ValueError
            ``days`` is not above 0, or ``per_day`` holds a NaN.
        """
        if not days > 0 or np.isnan(per_day).any():
            raise ValueError(f"days is {days}, expected above 0, and per_day without NaN")
        order = np.lexsort((end, entity))
        entity, end, per_day = entity[order], end[order], per_day[order]
        merges = np.maximum(per_day, _rarest_before(entity, end, per_day, apart))
        counts = _at_most(per_day) - _at_most(merges)
        # Beyond the level with the most alerts a lower bar only merges them.
        told = np.flatnonzero(counts >= LEAST_ALERTS)
        told = told[told <= int(counts.argmax())]
        return cls(LEVELS[told], np.maximum.accumulate(counts[told] / days))

    def threshold(self, budget: float, *, raised: float = 0.0, days: float = 0.0) -> float:
        """The level to alert at or below for so many alerts a day; of windows, 1/day.

        Without enough history each window counts as an alert of its own: too few, never too many.

        Parameters
        ----------
        budget : float
            Alerts a day, above 0.
        raised, days : float
            Alerts raised since the budget was set, and days since then. What was raised too much
            or too little is made up for over as long a time again, by asking for no less than
            half the budget and no more than twice: so the budget is kept where scores drift.

        Raises
        ------
        ValueError
            The budget is not above 0.

        Source: the feedback, Gibbs and Candes, Adaptive conformal inference under distribution
        shift, NeurIPS 2021.
        """
        if not budget > 0:
            raise ValueError(f"budget is {budget} alerts a day, expected above 0")
        if days > 0:
            budget *= min(max(2.0 - raised / (budget * days), LEAST_PACE), MOST_PACE)
        if not len(self.levels):
            return budget
        if budget <= self.alerts[0]:
            rarer = float(self.levels[0] * (budget / self.alerts[0]) ** self._growth)
            # Never below what each window as an alert of its own would need.
            return max(rarer, min(budget, float(self.levels[0])))
        return float(np.exp(np.interp(budget, self.alerts, np.log(self.levels))))

    @property
    def _growth(self) -> float:
        """The power of the alerts by which levels grow, where alerts are fewest but told.

        Clusters shrink as the level gets rarer, so it is above 1; each alert its own window is 1.
        """
        last = int(np.searchsorted(self.alerts, 2 * self.alerts[0]))
        if last == len(self.alerts):
            return 1.0
        levels, alerts = np.log(self.levels[[0, last]]), np.log(self.alerts[[0, last]])
        return float(np.clip(np.diff(levels) / np.diff(alerts), 1.0, MOST_GROWTH)[0])

    @property
    def most(self) -> float:
        """The most alerts a day that history could have had; 0 where too little is known."""
        return float(self.alerts[-1]) if len(self.alerts) else 0.0

    def state(self) -> State:
        """All that was measured, as arrays."""
        return {"levels": self.levels.copy(), "alerts": self.alerts.copy()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """The budget that `state` describes.

        Raises
        ------
        StateError
            A part is missing or has the wrong type, shape or range.
        """
        kept = state.get("levels")
        shape = (len(kept),) if isinstance(kept, np.ndarray) and kept.ndim == 1 else (0,)
        levels = state_array(state, "levels", np.float64, shape)
        alerts = state_array(state, "alerts", np.float64, shape)
        rising = (np.diff(levels) > 0).all() and (np.diff(alerts) >= 0).all()
        if not (rising and (levels > 0).all() and (alerts > 0).all()):
            raise StateError("state 'levels', 'alerts': expected numbers above 0, ascending")
        return cls(levels, alerts)


def split(budget: float, views: Iterable[str]) -> dict[str, float]:
    """A budget for all views together, in equal shares.

    >>> split(3.0, ["trades.symbol_5s", "system.host_1m"])
    {'trades.symbol_5s': 1.5, 'system.host_1m': 1.5}
    """
    names = list(views)
    return {name: budget / len(names) for name in names}


def worth(real: int, noise: int) -> float:
    """The share of a budget that verdicts on its alerts leave, 0.25 to 1.

    It is the share of alerts that were worth telling, as if ten that were had been judged before.

    >>> worth(0, 0), worth(0, 10), worth(10, 10), worth(3, 1_000)
    (1.0, 0.5, 0.6666666666666666, 0.25)

    Source: the mean of a posterior; that the budget is cut by it and the bound are ours.
    """
    return max((real + WORTH) / (real + noise + WORTH), LEAST_WORTH)


def count_alerts(entity: NDArray[np.int64], end: Vector, *, apart: float = SAME_ALERT_S) -> int:
    """Alerts that alerting windows merge into, given in any order.

    >>> count_alerts(np.array([0, 1, 0]), np.array([0.0, 0.0, 599.0]))
    2
    """
    order = np.lexsort((end, entity))
    return int(_in_order(entity[order], end[order], apart).sum())


def _in_order(entity: NDArray[np.int64], end: Vector, apart: float) -> NDArray[np.bool_]:
    """Which windows, in order of entity and time, begin an alert."""
    begins = np.ones(len(end), bool)
    begins[1:] = (np.diff(entity) != 0) | (np.diff(end) >= apart)
    return begins


def _at_most(rate: Vector) -> NDArray[np.int64]:
    """How many rates lie at or below each level."""
    first = np.searchsorted(LEVELS, rate, side="left")
    return np.cumsum(np.bincount(first, minlength=len(LEVELS) + 1))[:-1]


@kernel("float64[::1](int64[::1], float64[::1], float64[::1], float64)")
def _rarest_before(entity: NDArray[np.int64], end: Vector, rate: Vector, apart: float) -> Vector:
    """The least rate among an entity's windows less than ``apart`` before each, else infinity.

    At levels from a window's rate up to this it begins an alert, above it joins one. So one pass
    counts the alerts of every level at once.
    """
    least = np.full(len(end), np.inf)
    # Windows before this one that are near, ever less rare, so that the rarest is the first.
    near = np.empty(len(end), np.int64)
    first, last = 0, 0
    for i in range(len(end)):
        while first < last and (
            entity[near[first]] != entity[i] or end[i] - end[near[first]] >= apart
        ):
            first += 1
        if first < last:
            least[i] = rate[near[first]]
        while first < last and rate[near[last - 1]] >= rate[i]:
            last -= 1
        near[last] = i
        last += 1
    return least
