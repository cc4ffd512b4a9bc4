"""A trend is told where there is one, with what it may be, and not where chance explains it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.trend import LEAST, Trend, trend

DAYS = np.arange(14.0)


@pytest.mark.parametrize(("slope", "direction"), [(2.0, 1), (-2.0, -1), (0.0, 0)])
def test_the_slope_is_found_beneath_noise_and_one_wild_day(slope: float, direction: int) -> None:
    values = 50.0 + slope * DAYS + np.random.default_rng(0).normal(0.0, 1.0, 14)
    values[5] = 1e4
    found = trend(DAYS, values)
    assert found is not None
    assert found.direction == direction
    assert found.low <= slope <= found.high
    assert found.slope == pytest.approx(slope, abs=0.3)


def test_chance_alone_is_called_a_trend_as_seldom_as_is_said() -> None:
    rng = np.random.default_rng(1)
    called = [trend(DAYS, rng.normal(size=14)) for _ in range(400)]
    share = np.mean([one is not None and one.direction != 0 for one in called])
    assert 0.0 < share < 0.09


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(0.1, 100.0), shift=st.floats(-1e3, 1e3))
def test_units_do_not_matter(scale: float, shift: float) -> None:
    values = 3.0 * DAYS + np.random.default_rng(2).normal(size=14)
    one, other = trend(DAYS, values), trend(DAYS, scale * values + shift)
    assert one is not None
    assert other is not None
    assert other.slope == pytest.approx(scale * one.slope, rel=1e-6)
    assert other.level == pytest.approx(scale * one.level + shift, rel=1e-6, abs=1e-6)


def test_too_few_values_say_nothing_and_gaps_are_left_out() -> None:
    assert trend(DAYS[: LEAST - 1], DAYS[: LEAST - 1]) is None
    values = 2.0 * DAYS
    values[3:6] = np.nan
    assert trend(DAYS, values) == Trend(26.0, 2.0, 2.0, 2.0)
    assert trend(DAYS, np.full(14, np.nan)) is None


def test_a_limit_is_reached_only_by_what_rises() -> None:
    assert Trend(80.0, 2.0, 1.0, 3.0).reaches(90.0) == (5.0, 10.0)
    assert Trend(95.0, 2.0, 1.0, 3.0).reaches(90.0) == (0.0, 0.0)
    assert Trend(80.0, 2.0, -1.0, 3.0).reaches(90.0) is None
