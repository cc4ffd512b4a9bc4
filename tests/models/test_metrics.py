"""Recall by event at a budget of false alerts, counted as the data sets' baselines count."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.metrics import Recall, event_recall

Window = tuple[int, float, float]
"""Entity, end, score."""


def judged(
    windows: list[Window], events: list[tuple[int, float]], allowed: list[float]
) -> list[Recall]:
    entity, end, score = zip(*windows, strict=True) if windows else ((), (), ())
    return event_recall(
        np.array(entity, np.int64), np.array(end, float), np.array(score, float), events, allowed
    )


def at_threshold(
    windows: list[Window], events: list[tuple[int, float]], threshold: float
) -> Recall:
    """By definition: take what alerts, group it, and look at each group and each event."""
    ends: dict[int, list[float]] = defaultdict(list)
    for entity, end, score in windows:
        if score >= threshold:
            ends[entity].append(end)
    false = 0
    for entity, times in ends.items():
        alerts: list[list[float]] = []
        for end in sorted(times):
            if alerts and end - alerts[-1][-1] < 600:
                alerts[-1].append(end)
            else:
                alerts.append([end])
        starts = [start for e, start in events if e == entity]
        false += sum(
            not any(0 < end - start <= 180 for end in alert for start in starts) for alert in alerts
        )
    delays = [
        min(seen)
        for entity, start in events
        if (seen := [end - start for end in ends[entity] if 0 < end - start <= 180])
    ]
    share = len(delays) / len(events) if events else 0.0
    median, mean = (float(f(delays)) if delays else None for f in (np.median, np.mean))
    return Recall(share, median, threshold, false, mean)


def by_definition(
    windows: list[Window], events: list[tuple[int, float]], allowed: list[float]
) -> list[Recall]:
    found = []
    for allowance in allowed:
        best = Recall(0.0, None, None, 0)
        for threshold in sorted({score for _, _, score in windows}, reverse=True):
            tried = at_threshold(windows, events, threshold)
            if tried.false_alerts > allowance:
                break
            best = tried
        found.append(best)
    return found


# Ends on a coarse grid, so that gaps of exactly 180 s and 600 s, ties and twins are common.
window = st.tuples(
    st.integers(0, 2),
    st.integers(1, 60).map(lambda n: 60.0 * n),
    st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.8, 1.3]) | st.floats(-5, 5),
)
event = st.tuples(st.integers(-1, 2), st.integers(0, 60).map(lambda n: 60.0 * n))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    windows=st.lists(window, max_size=40),
    events=st.lists(event, max_size=5),
    allowed=st.lists(st.sampled_from([0.0, 0.4, 1.0, 2.0, 3.5, 100.0]), max_size=4).map(sorted),
)
def test_it_equals_the_definition(
    windows: list[Window], events: list[tuple[int, float]], allowed: list[float]
) -> None:
    assert judged(windows, events, allowed) == by_definition(windows, events, allowed)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(windows=st.lists(window, min_size=1, max_size=30), events=st.lists(event), data=st.data())
def test_neither_the_order_of_rows_nor_the_scale_of_scores_matters(
    windows: list[Window], events: list[tuple[int, float]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([(e, t, 8.0 * s) for e, t, s in windows]))
    for one, other in zip(
        judged(windows, events, [0.0, 2.0]), judged(shuffled, events, [0.0, 2.0]), strict=True
    ):
        assert (one.recall, one.delay, one.false_alerts) == (
            other.recall,
            other.delay,
            other.false_alerts,
        )


def only(windows: list[Window], events: list[tuple[int, float]], allowed: float) -> Recall:
    (found,) = judged(windows, events, [allowed])
    return found


@pytest.mark.parametrize(("gap", "false"), [(599.0, 1), (600.0, 2), (601.0, 2)])
def test_alerts_less_than_ten_minutes_apart_are_one(gap: float, false: int) -> None:
    assert only([(0, 100.0, 1.0), (0, 100.0 + gap, 1.0)], [], 9).false_alerts == false


def test_alerts_of_different_entities_stay_apart() -> None:
    assert only([(0, 100.0, 1.0), (1, 100.0, 1.0)], [], 9).false_alerts == 2


def test_a_window_between_two_alerts_makes_them_one() -> None:
    apart: list[Window] = [(0, 0.0, 2.0), (0, 1000.0, 2.0)]
    assert only(apart, [], 9).false_alerts == 2
    assert only([*apart, (0, 500.0, 1.0)], [], 9).false_alerts == 1


def test_an_alert_that_reaches_an_event_is_not_false() -> None:
    early: list[Window] = [(0, 4000.0, 2.0)]
    assert only(early, [(0, 4400.0)], 9).false_alerts == 1
    reaching = only([*early, (0, 4410.0, 1.0)], [(0, 4400.0)], 9)
    assert (reaching.recall, reaching.delay, reaching.false_alerts) == (1.0, 10.0, 0)


@pytest.mark.parametrize(
    ("end", "recall", "delay"),
    [(1000.0, 0.0, None), (1001.0, 1.0, 1.0), (1180.0, 1.0, 180.0), (1181.0, 0.0, None)],
)
def test_an_event_is_seen_by_a_window_that_ends_within_three_minutes(
    end: float, recall: float, delay: float | None
) -> None:
    found = only([(0, end, 1.0)], [(0, 1000.0)], 9)
    assert (found.recall, found.delay) == (recall, delay)


def test_the_delay_is_that_of_the_first_alerting_window_not_of_the_highest() -> None:
    found = only([(0, 1010.0, 1.0), (0, 1100.0, 5.0)], [(0, 1000.0)], 0)
    assert found.delay == 10.0


def test_the_threshold_stops_before_the_budget_is_exceeded_for_good() -> None:
    # At 3 one false alert, at 2 two, at 1 all is merged into one: too late, the search is over.
    windows: list[Window] = [(0, 0.0, 3.0), (0, 1000.0, 2.0), (0, 500.0, 1.0), (1, 50.0, 1.0)]
    found = only(windows, [(1, 0.0)], 1)
    assert (found.recall, found.threshold, found.false_alerts) == (0.0, 3.0, 1)


def test_windows_of_one_score_alert_together_or_not_at_all() -> None:
    windows: list[Window] = [(0, 100.0, 1.0), (1, 100.0, 1.0), (2, 100.0, 1.0)]
    found = only(windows, [(0, 50.0)], 1)
    assert found == Recall(0.0, None, None, 0)
    assert only(windows, [(0, 50.0)], 2) == Recall(1.0, 50.0, 1.0, 2, 50.0)


def test_without_events_nothing_is_recalled_and_every_alert_is_false() -> None:
    assert only([(0, 100.0, 1.0)], [], 5) == Recall(0.0, None, 1.0, 1)


def test_an_event_of_an_unknown_entity_is_missed_not_forgotten() -> None:
    found = only([(0, 1010.0, 1.0)], [(0, 1000.0), (-1, 1000.0)], 5)
    assert (found.recall, found.false_alerts) == (0.5, 0)


def test_without_windows_nothing_is_found() -> None:
    assert only([], [(0, 1000.0)], 5) == Recall(0.0, None, None, 0)


def test_a_score_that_has_no_order_is_refused() -> None:
    with pytest.raises(ValueError, match="NaN"):
        only([(0, 100.0, 1.0), (0, 200.0, float("nan"))], [], 5)


def test_what_is_found_is_json() -> None:
    found: Any = [asdict(r) for r in judged([(0, 100.0, 1.0)], [(0, 5000.0)], [0.0, 1.0])]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
