"""Expected ranges are River's numbers, know the hour and the weekday, and never get too narrow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from river import stats

from models.bands import SPREADS, Bands
from models.detector import Matrix, MatrixError, NotWarmError, StateError

SLOTS = (24, 7)
COLUMNS = ("orders", "price", "hour_of_day", "day_of_week")


def hourly(days: int, *, seed: int = 0, swing: float = 0.0, spread: float = 2.0) -> Matrix:
    """Ten windows an hour; orders swing with the hour."""
    hour = np.arange(days * 240) // 10
    rng = np.random.default_rng(seed)
    orders = swing * np.sin(2 * np.pi * hour / 24) + spread * rng.normal(size=len(hour))
    price = spread * rng.normal(size=len(hour))
    return np.column_stack([orders, price, hour % 24, hour // 24 % 7]).astype(float)


def bands(X: Matrix) -> Bands:
    return Bands(COLUMNS, slots=SLOTS).fit(X, seed=0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    values=arrays(np.float64, (60, 2), elements=st.floats(-1e6, 1e6)),
    hour=arrays(np.int64, 60, elements=st.integers(0, 23)),
    day=arrays(np.int64, 60, elements=st.integers(0, 6)),
)
def test_the_moments_of_every_slot_are_rivers_row_by_row(
    values: Matrix, hour: Matrix, day: Matrix
) -> None:
    X = np.column_stack([values, hour, day]).astype(float)
    ours = bands(X)
    moments = ours.state()["moments"]
    peers = [[stats.Var() for _ in range(2)] for _ in range(32)]
    for row in X.tolist():
        for slot in (0, 1 + int(row[2]), 25 + int(row[3])):
            for f in range(2):
                if row[f] != 0.0:
                    peers[slot][f].update(row[f])
    rivers = [[(v.mean.n, v.mean.get(), v._S) for v in slot] for slot in peers]
    np.testing.assert_array_equal(moments, rivers)


def test_without_a_season_the_range_is_three_of_rivers_spreads() -> None:
    X = np.random.default_rng(1).normal(5.0, 2.0, size=(400, 1))
    var = stats.Var()
    for x in X[:, 0].tolist():
        var.update(x)
    low, expected, high = Bands(["orders"]).fit(X, seed=0).ranges(X[:1])
    assert expected[0, 0] == var.mean.get()
    assert high[0, 0] == var.mean.get() + SPREADS * np.sqrt(var.get())
    assert low[0, 0] == var.mean.get() - SPREADS * np.sqrt(var.get())


def test_an_hour_that_is_always_busy_is_expected_to_be() -> None:
    ours = bands(hourly(28, swing=20.0))
    at = np.array([[0.0, 0.0, hour, 2] for hour in (6, 18)], float)
    _, expected, _ = ours.ranges(at)
    assert expected[0, 0] > 15.0
    assert expected[1, 0] < -15.0
    assert abs(expected[:, 1]).max() < 1.0
    busy = np.array([[20.0, 1.0, hour, 2] for hour in (6, 18)], float)
    assert ours.score(busy)[0] == 0.0
    assert ours.score(busy)[1] > 0.0


def test_a_day_that_was_lived_through_once_is_no_season() -> None:
    ours = bands(hourly(1, swing=20.0))
    _, expected, _ = ours.ranges(np.array([[0.0, 0.0, 6.0, 0.0], [0.0, 0.0, 18.0, 0.0]]))
    assert expected[0, 0] == expected[1, 0]


def test_history_brings_the_season_nearer_visit_by_visit() -> None:
    far = []
    for days in (1, 2, 4, 8, 28):
        _, expected, _ = bands(hourly(days, swing=20.0, spread=0.1)).ranges(
            np.array([[0.0, 0.0, 6.0, 6.0]])
        )
        far.append(abs(20.0 - expected[0, 0]))
    assert far == sorted(far, reverse=True)
    assert far[-1] < 2.0


def test_weekdays_are_told_apart_when_weeks_have_passed() -> None:
    X = hourly(28, spread=0.5)
    X[X[:, 3] == 5, 0] += 10.0
    ours = bands(X)
    _, expected, _ = ours.ranges(np.array([[0.0, 0.0, 3.0, day] for day in (4.0, 5.0)]))
    assert expected[1, 0] - expected[0, 0] > 5.0


def test_what_makes_no_difference_in_practice_is_not_rare_however_still_the_past() -> None:
    ours = Bands(["orders"]).fit(np.full((500, 1), 0.001), seed=0)
    assert ours.score(np.array([[0.9], [1.1]])).tolist() == [0.0, pytest.approx(0.099)]


def test_only_the_side_of_concern_counts() -> None:
    X = np.random.default_rng(2).normal(size=(500, 3))
    ours = Bands(["a", "b", "c"], sides=[1, -1, 0]).fit(X, seed=0)
    far = np.array([[9.0, 9.0, 9.0], [-9.0, -9.0, -9.0]])
    assert ((ours.terms(far) > 0) == [[True, False, True], [False, True, True]]).all()


def test_exactly_nothing_is_neither_judged_nor_learned() -> None:
    X = np.random.default_rng(3).normal(50.0, 1.0, size=(300, 1))
    ours = Bands(["orders"]).fit(X, seed=0)
    before = ours.state()["moments"]
    ours.learn(np.zeros((100, 1)))
    np.testing.assert_array_equal(ours.state()["moments"], before)
    assert ours.score(np.zeros((1, 1)))[0] == 0.0


def test_huge_numbers_have_finite_scores() -> None:
    X = np.random.default_rng(3).normal(size=(300, 1))
    ours = Bands(["orders"]).fit(X, seed=0)
    ours.learn(np.array([[1e308], [-1e308]]))
    assert np.isfinite(ours.score(np.array([[1e308], [-1e308], [1.0]]))).all()


def test_a_season_that_is_none_is_refused() -> None:
    ours = bands(hourly(2))
    for wrong in (-1.0, 24.0):
        X = np.array([[1.0, 1.0, wrong, 0.0]])
        with pytest.raises(MatrixError, match="'hour_of_day'"):
            ours.score(X)
        with pytest.raises(MatrixError, match="'hour_of_day'"):
            ours.learn(X)


def test_ranges_of_what_was_never_fitted_are_refused() -> None:
    with pytest.raises(NotWarmError):
        Bands(["orders"]).ranges(np.zeros((1, 1)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"slots": (24, 7, 2)},
        {"slots": (24,), "sides": (0,)},
        {"slots": (0,), "sides": (0, 0)},
        {"sides": (2, 0, 0)},
    ],
)
def test_impossible_columns_are_refused(wrong: dict[str, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Bands(["a", "b", "c"], **wrong)


def test_seasons_survive_a_state_and_a_wrong_one_is_refused() -> None:
    X = hourly(14, swing=9.0)
    ours = bands(X[:2000])
    again = Bands.from_state(ours.state())
    for one in (ours, again):
        one.learn(X[2000:])
    np.testing.assert_array_equal(ours.score(X), again.score(X))
    for part, value in (("slots", [24]), ("sides", ["high", "low"]), ("visits", np.zeros(3))):
        with pytest.raises((StateError, ValueError)):
            Bands.from_state({**ours.state(), part: value})
