"""How good scores are, judged on labels: pure functions of arrays."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.detector import Vector

__all__ = ["Recall", "event_recall"]

SEEN_WITHIN_S = 180.0
SAME_ALERT_S = 600.0


@dataclass(frozen=True)
class Recall:
    """What is found at one false-alarm budget.

    ``recall`` is the share of events seen, ``delay`` the median seconds from an event's start
    to the end of the first alerting window (None when nothing is seen), ``threshold`` the
    lowest score that alerts (None when none may), ``false_alerts`` how many alerts saw no event,
    ``mean_delay`` the mean where ``delay`` is the median.
    """

    recall: float
    delay: float | None
    threshold: float | None
    false_alerts: int
    mean_delay: float | None = None


def event_recall(
    entity: NDArray[np.int64],
    end: Vector,
    score: Vector,
    events: list[tuple[int, float]],
    allowed: list[float],
) -> list[Recall]:
    """Share of events seen within 3 minutes when so many false alerts are allowed.

    Windows at or above a threshold alert; alerts of an entity less than 10 minutes apart are
    one alert. An alert with a window that ends within 3 minutes after the start of an event of
    its entity has seen the event; an alert that has seen none is false. The threshold is
    lowered from the top until one more step would exceed the allowance: lower still, merging
    would make everything one alert and the count meaningless.

    Parameters
    ----------
    entity, end, score : ndarrays of shape (n,)
        Entity number, end of the window in seconds, score; high is anomalous.
    events : list of (entity, start in seconds)
    allowed : list of float, ascending
        False alerts allowed in all.

    Returns
    -------
    list of Recall, one for each allowance

    Raises
    ------
    ValueError
        A score is NaN.

    Source: the counting of the data sets' baselines; Kim et al., Towards a rigorous evaluation
    of time-series anomaly detection, AAAI 2022, on why not point-adjusted F1.
    """
    if np.isnan(score).any():
        raise ValueError("score holds a NaN, expected numbers that can be put in order")
    hits = [
        np.flatnonzero((entity == e) & (end > start) & (end <= start + SEEN_WITHIN_S))
        for e, start in events
    ]
    seen_by: dict[int, list[int]] = {}
    for number, rows in enumerate(hits):
        for row in rows.tolist():
            seen_by.setdefault(row, []).append(number)
    order = np.argsort(-score, kind="stable")
    alerts = _Alerts()
    first_seen = np.full(len(events), np.inf)
    found: list[Recall] = []
    current = Recall(0.0, None, None, 0)
    position = 0
    while len(found) < len(allowed) and position < len(order):
        threshold = score[order[position]]
        while position < len(order) and score[order[position]] == threshold:
            row = int(order[position])
            numbers = seen_by.get(row, [])
            alerts.add(int(entity[row]), float(end[row]), bool(numbers))
            for number in numbers:
                first_seen[number] = min(first_seen[number], end[row])
            position += 1
        while len(found) < len(allowed) and alerts.false > allowed[len(found)]:
            found.append(current)
        seen = np.isfinite(first_seen)
        delays = [first_seen[i] - events[i][1] for i in np.flatnonzero(seen)]
        current = Recall(
            float(seen.mean()) if len(events) else 0.0,
            float(np.median(delays)) if delays else None,
            float(threshold),
            alerts.false,
            float(np.mean(delays)) if delays else None,
        )
    return found + [current] * (len(allowed) - len(found))


class _Alerts:
    """Alerting windows merged into alerts, counted as windows are added in any order."""

    def __init__(self) -> None:
        self.false = 0
        self._starts: dict[int, list[float]] = {}
        self._alerts: dict[int, list[tuple[float, float, bool]]] = {}

    def add(self, entity: int, end: float, hit: bool) -> None:
        """Merge one window with the alerts of its entity that it touches."""
        alerts = self._alerts.setdefault(entity, [])
        starts = self._starts.setdefault(entity, [])
        i = bisect_left(starts, end)
        lo, hi = i, i
        first, last = end, end
        if i > 0 and end - alerts[i - 1][1] < SAME_ALERT_S:
            lo, first, last = i - 1, alerts[i - 1][0], max(end, alerts[i - 1][1])
        if i < len(alerts) and alerts[i][0] - end < SAME_ALERT_S:
            hi, last = i + 1, max(last, alerts[i][1])
        merged = alerts[lo:hi]
        self.false -= sum(not a[2] for a in merged)
        hit = hit or any(a[2] for a in merged)
        self.false += not hit
        alerts[lo:hi] = [(first, last, hit)]
        starts[lo:hi] = [first]
