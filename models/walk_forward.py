"""Whether alert budgets are kept: thresholds are set by the past and judged by what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.bootstrap import bootstrap_interval, count_interval
from models.budget import AlertBudget, count_alerts
from models.detector import Vector
from models.metrics import SAME_ALERT_S

__all__ = ["LEAST_EXPECTED", "TOLERANCE", "Kept", "Scores", "Walk", "judge", "walk"]

TOLERANCE = 0.3
"""How far the alerts raised may lie from those asked for, as a share of them."""

LEAST_EXPECTED = (1.96 / TOLERANCE) ** 2
"""Of fewer, chance alone moves the count beyond the tolerance more than one time in twenty."""

# Thresholds are set anew after each twentieth of the time, first after a tenth.
PARTS, FIRST = 20, 2
DAY_S = 86_400.0

Bools = NDArray[np.bool_]
State = Literal["kept", "missed", "not measurable"]


@dataclass(frozen=True)
class Scores:
    """Windows in any order.

    Parameters
    ----------
    entity : ndarray of shape (n,), int64
    end, per_day : ndarrays of shape (n,)
        End in seconds; how often normal life brings such a window, 1/day, infinite where nothing
        is claimed.
    normal : ndarray of shape (n,), bool
        Windows that no known incident is near. Only these set thresholds and are counted.
    days : ndarray of shape (n,)
        The part of a day that a window stands for: 1 over the windows a day of all entities.
    """

    entity: NDArray[np.int64]
    end: Vector
    per_day: Vector
    normal: Bools
    days: Vector

    def at(self, rows: Bools) -> Scores:
        """Some of the windows."""
        end, per_day, days = self.end[rows], self.per_day[rows], self.days[rows]
        return Scores(self.entity[rows], end, per_day, self.normal[rows], days)


@dataclass(frozen=True)
class Walk:
    """What one budget would have alerted on.

    Parameters
    ----------
    asked : float
        Alerts a day.
    judged, alerting : ndarrays of shape (n,), bool
        Windows after the first history; of them, those that alert.
    most : float
        The most alerts a day that the whole history could have had.
    """

    asked: float
    judged: Bools
    alerting: Bools
    most: float


@dataclass(frozen=True)
class Kept:
    """What became of one alert budget.

    Parameters
    ----------
    asked : float
        Alerts a day.
    expected : float
        Alerts to expect in the days that were judged.
    got : float
        Alerts raised a day of normal life.
    ratio, low, high : float
        Got over asked, and its interval: of draws of days of entities, or the exact Poisson
        interval where that is wider.
    state : {"kept", "missed", "not measurable"}
    why : str
        What makes it not measurable, else empty.
    """

    asked: float
    expected: float
    got: float
    ratio: float
    low: float
    high: float
    state: State
    why: str


def walk(scores: Scores, budgets: Sequence[float], *, apart: float = SAME_ALERT_S) -> list[Walk]:
    """Alert on each window by a threshold that only windows before it have set.

    The first tenth of normal life is history. From there on an `AlertBudget` is fitted after each
    twentieth on all before it, and told what was raised so far.

    Source: walk-forward evaluation as in Tashman, Out-of-sample tests of forecasting accuracy,
    International Journal of Forecasting 16(4), 2000.
    """
    n = len(scores.end)
    judged = np.zeros(n, bool)
    alerting = np.zeros((len(budgets), n), bool)
    normal = np.flatnonzero(scores.normal)
    if not len(normal):
        return [Walk(asked, judged, alerting[i], 0.0) for i, asked in enumerate(budgets)]
    normal = normal[np.argsort(scores.end[normal], kind="stable")]
    lived = np.cumsum(scores.days[normal])
    shares = np.arange(FIRST, PARTS) / PARTS
    times = scores.end[normal[np.searchsorted(lived, shares * lived[-1])]]
    edges = np.append(np.unique(times), np.inf)
    judged = scores.end > edges[0]
    fitted = AlertBudget(np.empty(0), np.empty(0))
    for since, until in pairwise(edges):
        fitted = _fit(scores.at(scores.normal & (scores.end <= since)), apart)
        after = scores.normal & judged & (scores.end <= since)
        days = float(scores.days[after].sum())
        now = (scores.end > since) & (scores.end <= until)
        for i, asked in enumerate(budgets):
            before = after & alerting[i]
            raised = count_alerts(scores.entity[before], scores.end[before], apart=apart)
            level = fitted.threshold(asked, raised=raised, days=days)
            alerting[i] |= now & (scores.per_day <= level)
    most = _fit(scores.at(scores.normal), apart).most
    return [Walk(asked, judged, alerting[i], most) for i, asked in enumerate(budgets)]


def judge(scores: Scores, walked: Walk, *, seed: int, apart: float = SAME_ALERT_S) -> Kept:
    """Whether a budget was kept, missed, or cannot be judged by so few alerts.

    A budget is missed for certain where its interval has nothing in common with the tolerance.
    Else it can be judged only where enough alerts are to be expected (`LEAST_EXPECTED`); windows
    that come in clusters count by their clusters. What no threshold could raise is no miss.
    """
    rows = scores.normal & walked.judged
    life = scores.at(rows)
    alerting = walked.alerting[rows]
    found = life.at(alerting)
    raised = count_alerts(found.entity, found.end, apart=apart)
    expected = walked.asked * float(life.days.sum())
    if not expected:
        nothing = "no normal life after the first history"
        return Kept(walked.asked, 0.0, 0.0, 0.0, 0.0, 0.0, "not measurable", nothing)
    low, high = (end / expected for end in count_interval(raised))
    if raised:
        drawn = _drawn(life, alerting, walked.asked, seed, apart)
        low, high = min(low, drawn[0]), max(high, drawn[1])
    ratio = raised / expected
    clusters = count_alerts(found.entity, found.end)
    independent = expected * clusters / raised if raised else expected
    state: State = "kept" if abs(ratio - 1) <= TOLERANCE else "missed"
    why = ""
    if ratio < 1 - TOLERANCE and walked.asked > walked.most:
        state, why = "not measurable", f"no threshold raises more than {walked.most:.3g} a day"
    elif independent < LEAST_EXPECTED and high >= 1 - TOLERANCE and low <= 1 + TOLERANCE:
        state, why = "not measurable", f"{independent:.3g} expected"
    got = raised / float(life.days.sum())
    return Kept(walked.asked, expected, got, ratio, low, high, state, why)


def _fit(known: Scores, apart: float) -> AlertBudget:
    days = float(known.days.sum())
    return AlertBudget.fit(known.entity, known.end, known.per_day, days=days, apart=apart)


def _drawn(
    life: Scores, alerting: Bools, asked: float, seed: int, apart: float
) -> tuple[float, float]:
    """Interval of the ratio over days of entities that are drawn again."""
    day = (life.end // DAY_S).astype(np.int64)
    day -= day.min()
    units, unit = np.unique(life.entity * (day.max() + 1) + day, return_inverse=True)
    expected = asked * np.bincount(unit, weights=life.days)
    order = np.lexsort((life.end[alerting], life.entity[alerting]))
    entity, end = life.entity[alerting][order], life.end[alerting][order]
    begins = np.r_[True, (np.diff(entity) != 0) | (np.diff(end) >= apart)]
    raised = np.bincount(unit[alerting][order][begins], minlength=len(units))
    return bootstrap_interval(
        lambda drawn: float(raised[drawn].sum() / expected[drawn].sum()), len(units), seed=seed
    )
