"""From an alert budget to a threshold: windows that are rare come in clusters, alerts do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.detector import State, StateError, Vector, state_array
from models.metrics import SAME_ALERT_S

__all__ = ["AlertBudget", "split"]

LEVELS = np.geomspace(1e-3, 1e6, 145)
LEAST_ALERTS = 20


class AlertBudget:
    """How many alerts a day follow from alerting below a level of ``per_day``, and the inverse.

    ``per_day`` counts windows. Windows of an entity less than 10 minutes apart are one alert, so
    alerts are fewer than windows by the extremal index of the scores. It is measured on normal
    history at each level that has 20 alerts there, and with it whatever a calibration is off by.
    At rarer levels the index of the rarest measured one holds: it tends to a limit.

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
    def fit(cls, entity: NDArray[np.int64], end: Vector, per_day: Vector, *, days: float) -> Self:
        """Measure on warm windows of normal history, known incidents left out.

        Parameters
        ----------
        entity, end, per_day : ndarrays of shape (n,)
            Entity number, end of the window in seconds, how often normal life brings such a
            window, 1/day.
        days : float
            What the history covers, above 0.

        Raises
        ------
        ValueError
            ``days`` is not above 0, or ``per_day`` holds a NaN.
        """
        if not days > 0 or np.isnan(per_day).any():
            raise ValueError(f"days is {days}, expected above 0, and per_day without NaN")
        order = np.lexsort((end, entity))
        entity, end, per_day = entity[order], end[order], per_day[order]
        counts = np.array([_alerts(entity, end, per_day <= level) for level in LEVELS])
        # Beyond the level with the most alerts a lower bar only merges them.
        told = np.flatnonzero(counts >= LEAST_ALERTS)
        told = told[told <= int(counts.argmax())]
        return cls(LEVELS[told], np.maximum.accumulate(counts[told] / days))

    def threshold(self, budget: float) -> float:
        """The level to alert at or below for so many alerts a day; of windows, 1/day.

        Without enough history each window counts as an alert of its own: too few, never too many.

        Raises
        ------
        ValueError
            The budget is not above 0.
        """
        if not budget > 0:
            raise ValueError(f"budget is {budget} alerts a day, expected above 0")
        if not len(self.levels):
            return budget
        if budget <= self.alerts[0]:
            return float(self.levels[0] * budget / self.alerts[0])
        return float(np.exp(np.interp(budget, self.alerts, np.log(self.levels))))

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


def _alerts(entity: NDArray[np.int64], end: Vector, alerting: NDArray[np.bool_]) -> int:
    """Alerts of windows in order of entity and time."""
    entity, end = entity[alerting], end[alerting]
    apart = (np.diff(entity) != 0) | (np.diff(end) >= SAME_ALERT_S)
    return int(apart.sum()) + bool(len(end))
