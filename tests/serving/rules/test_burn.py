"""Error budgets: how many times too fast they are spent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rules.burn import Budget
from serving.rules.rule import BurnRate
from tests.serving.rules.ruling import MINUTE, START, objective

RATE: BurnRate = objective().rungs[0]


def _after(shares: list[float], rate: BurnRate = RATE) -> float:
    budget, burn = Budget(), 0.0
    for number, share in enumerate(shares):
        burn = budget.add(rate, 99.9, START + number * MINUTE, share, 2.0)
    return burn


def test_a_rate_of_one_spends_exactly_the_budget() -> None:
    assert _after([99.9] * 60) == pytest.approx(1.0)


def test_an_hour_at_2_percent_bad_is_20_times_too_fast() -> None:
    assert _after([98.0] * 120) == pytest.approx(20.0)


def test_the_short_time_ends_the_alarm_while_the_long_one_still_remembers() -> None:
    assert _after([0.0] * 30 + [100.0] * 4) > 14.4
    assert _after([0.0] * 30 + [100.0] * 5) == 0.0


def test_the_long_time_keeps_a_blip_from_being_an_alarm() -> None:
    assert _after([100.0] * 59 + [50.0]) == pytest.approx(0.5 / 60 / 0.001)


def test_time_that_was_not_watched_counts_as_good() -> None:
    assert _after([50.0]) == pytest.approx(_after([100.0] * 59 + [50.0]))


@given(st.lists(st.floats(0, 100), min_size=60, max_size=90))
def test_the_burn_is_the_lesser_of_both_times(shares: list[float]) -> None:
    bad = [1 - share / 100 for share in shares]
    plain = min(sum(bad[-60:]) / 60, sum(bad[-5:]) / 5) / 0.001
    assert _after(shares) == pytest.approx(plain, abs=1e-6)


@given(st.lists(st.floats(0, 100), max_size=70))
def test_its_state_is_all_there_is_of_it(shares: list[float]) -> None:
    budget = Budget()
    for number, share in enumerate(shares):
        budget.add(RATE, 99.9, START + number * MINUTE, share, 2.0)
    again = Budget.of_state(budget.state())
    assert again == budget
    assert len(budget.total) <= 60


def test_a_service_that_left_is_over_after_the_long_time() -> None:
    budget = Budget()
    budget.add(RATE, 99.9, START, 50, 2)
    assert not budget.over(RATE, START + 59 * MINUTE)
    assert budget.over(RATE, START + 60 * MINUTE)
