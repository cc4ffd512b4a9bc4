"""A budget of alerts a day is kept, though windows come in clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.budget import LEAST_ALERTS, AlertBudget, count_alerts, split
from models.detector import StateError, Vector
from models.metrics import SAME_ALERT_S

quick = settings(max_examples=40, deadline=None, derandomize=True)
ENTITIES, A_DAY = 10, 1_440


def clustered(days: int, seed: int, off: float = 1.0) -> tuple[np.ndarray, Vector, Vector]:
    """Entity, end and told ``per_day`` of minute windows, rare ones in clusters.

    A window is as rare as the rarest of its last five minutes' draws. What is told is ``off``
    times the truth.
    """
    rng = np.random.default_rng(seed)
    size = days * A_DAY
    draws = rng.random((ENTITIES, size + 4))
    rarest = np.lib.stride_tricks.sliding_window_view(draws, 5, axis=1).min(axis=2)
    p = 1 - (1 - rarest) ** 5
    entity = np.repeat(np.arange(ENTITIES), size)
    end = np.tile(60.0 * np.arange(size), ENTITIES)
    return entity, end, off * p.ravel() * ENTITIES * A_DAY


def alerts(entity: np.ndarray, end: Vector, alerting: np.ndarray) -> int:
    """Counted one by one: of an entity, less than 10 minutes apart is the same alert."""
    found, last = 0, dict.fromkeys(range(ENTITIES), -np.inf)
    for e, t in zip(entity[alerting].tolist(), end[alerting].tolist(), strict=True):
        found += t - last[e] >= SAME_ALERT_S
        last[e] = t
    return found


@pytest.mark.parametrize("off", [1.0, 3.0, 0.4])
@pytest.mark.parametrize("budget", [0.1, 0.3, 1.0, 10.0, 100.0])
def test_alerts_lie_within_thirty_percent_of_the_budget(budget: float, off: float) -> None:
    told = AlertBudget.fit(*clustered(20, 1, off), days=20.0)
    # Many days for a rare alert: 30 are expected at least, on data that was not used to fit.
    runs = max(1, round(1.5 / budget))
    found = 0
    for seed in range(runs):
        entity, end, per_day = clustered(20, 100 + seed, off)
        found += alerts(entity, end, per_day <= told.threshold(budget))
    expected = budget * 20 * runs
    # A rare alert's count has noise of its own, three deviations of a Poisson count.
    assert abs(found / expected - 1) < max(0.3, 3 / np.sqrt(expected))


def test_without_the_correction_the_budget_is_far_from_used() -> None:
    entity, end, per_day = clustered(40, 3)
    found = alerts(entity, end, per_day <= 10.0)
    assert found < 0.4 * 10.0 * 40


@quick
@given(budgets=st.lists(st.floats(1e-3, 1e4), min_size=2, max_size=6))
def test_a_larger_budget_never_has_a_lower_threshold(budgets: list[float]) -> None:
    told = AlertBudget.fit(*clustered(2, 5), days=2.0)
    thresholds = [told.threshold(budget) for budget in sorted(budgets)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] > 0


def test_no_threshold_is_beyond_the_most_alerts_there_can_be() -> None:
    entity, end, per_day = clustered(5, 6)
    told = AlertBudget.fit(entity, end, per_day, days=5.0)
    assert told.threshold(1e6) == pytest.approx(told.levels[-1])
    at_most = alerts(entity, end, per_day <= told.threshold(1e6)) / 5
    assert at_most == pytest.approx(told.most)
    assert told.most < 0.5 * ENTITIES * 86_400 / SAME_ALERT_S
    # Alerting on everything is one alert an entity.
    assert alerts(entity, end, per_day >= 0) == ENTITIES


def test_rarer_than_history_can_tell_the_law_of_the_rarest_told_holds() -> None:
    told = AlertBudget.fit(*clustered(5, 7), days=5.0)
    least = LEAST_ALERTS / 5
    assert told.alerts[0] >= least
    tenth, hundredth = told.threshold(least / 10), told.threshold(least / 100)
    assert told.levels[0] / tenth >= 10
    assert tenth / hundredth == pytest.approx(
        told.threshold(least / 20) / told.threshold(least / 200)
    )


def test_clusters_that_shrink_are_followed_beyond_what_history_tells() -> None:
    # Alerts grow with the root of the level, as crossings of a smooth score do.
    levels = np.geomspace(100.0, 10_000.0, 30)
    told = AlertBudget(levels, np.sqrt(levels))
    assert told.threshold(1.0) == pytest.approx(1.0)
    assert told.threshold(5.0) == pytest.approx(25.0)
    # Were all alerts single windows, a budget would be the level.
    assert told.threshold(0.5) == 0.5


def test_what_was_raised_too_much_is_made_up_for() -> None:
    told = AlertBudget.fit(*clustered(5, 7), days=5.0)
    due = told.threshold(10.0)
    assert told.threshold(10.0, raised=100, days=10.0) == pytest.approx(due)
    assert told.threshold(10.0, raised=120, days=10.0) == pytest.approx(told.threshold(8.0))
    assert told.threshold(10.0, raised=80, days=10.0) == pytest.approx(told.threshold(12.0))
    # Neither silence for what was too much nor a flood for what was too little.
    assert told.threshold(10.0, raised=10_000, days=10.0) == pytest.approx(told.threshold(5.0))
    assert told.threshold(10.0, raised=0, days=10.0) == pytest.approx(told.threshold(20.0))


def test_a_budget_of_windows_counts_each() -> None:
    entity, end, per_day = clustered(20, 1)
    told = AlertBudget.fit(entity, end, per_day, days=20.0, apart=0.0)
    for budget in (10.0, 100.0, 1_000.0):
        assert np.mean(per_day <= told.threshold(budget)) * 10 * A_DAY == pytest.approx(budget, 0.1)


def test_counts_at_all_levels_are_those_of_each_level_alone() -> None:
    entity, end, per_day = clustered(2, 11)
    told = AlertBudget.fit(entity, end, per_day, days=2.0)
    for level, found in zip(told.levels, told.alerts, strict=True):
        assert alerts(entity, end, per_day <= level) <= 2 * found
        rarer = per_day <= level
        assert count_alerts(entity[rarer], end[rarer]) == alerts(entity, end, rarer)
    assert told.alerts[0] * 2 == alerts(entity, end, per_day <= told.levels[0])


def test_without_history_each_window_is_an_alert() -> None:
    none = AlertBudget.fit(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), days=1.0)
    assert none.threshold(3.0) == 3.0
    assert none.most == 0.0


def test_the_order_of_windows_does_not_matter() -> None:
    entity, end, per_day = clustered(2, 8)
    order = np.random.default_rng(0).permutation(len(entity))
    first = AlertBudget.fit(entity, end, per_day, days=2.0)
    second = AlertBudget.fit(entity[order], end[order], per_day[order], days=2.0)
    np.testing.assert_array_equal(first.alerts, second.alerts)
    np.testing.assert_array_equal(first.levels, second.levels)


def test_a_budget_for_all_views_is_shared_out() -> None:
    shares = split(2.0, ["a", "b", "c", "d"])
    assert shares == dict.fromkeys("abcd", 0.5)


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan")])
def test_a_budget_that_is_none_is_refused(budget: float) -> None:
    told = AlertBudget.fit(*clustered(1, 9), days=1.0)
    with pytest.raises(ValueError, match="expected above 0"):
        told.threshold(budget)


@pytest.mark.parametrize(("days", "rate"), [(0.0, 1.0), (-1.0, 1.0), (1.0, np.nan)])
def test_a_history_that_is_none_is_refused(days: float, rate: float) -> None:
    with pytest.raises(ValueError, match="without NaN"):
        AlertBudget.fit(np.zeros(1, np.int64), np.zeros(1), np.full(1, rate), days=days)


def test_a_restored_budget_has_the_same_thresholds() -> None:
    first = AlertBudget.fit(*clustered(2, 10), days=2.0)
    second = AlertBudget.from_state(first.state())
    for budget in (0.01, 1.0, 7.0, 1e5):
        assert first.threshold(budget) == second.threshold(budget)


@pytest.mark.parametrize(
    "change",
    [
        {"levels": None},
        {"alerts": np.ones(3)},
        {"levels": np.array([2.0, 1.0])},
        {"alerts": np.array([2.0, 1.0])},
        {"levels": np.array([-1.0, 1.0])},
        {"alerts": np.array([np.nan, 1.0])},
    ],
)
def test_a_state_that_is_none_is_refused(change: dict[str, object]) -> None:
    state = {"levels": np.array([1.0, 2.0]), "alerts": np.array([1.0, 2.0])}
    AlertBudget.from_state(state)
    with pytest.raises(StateError):
        AlertBudget.from_state(state | change)  # type: ignore[arg-type]
