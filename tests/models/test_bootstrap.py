"""Intervals hold the true figure about as often as they say, and claim no certainty."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.bootstrap import bootstrap_interval, count_interval, share_interval

TRIALS = 120


def test_the_interval_of_a_mean_covers_it() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for trial in range(TRIALS):
        values = random.exponential(size=60)
        low, high = bootstrap_interval(
            lambda drawn, v=values: float(v[drawn].mean()), 60, seed=trial, resamples=300
        )
        covered += low <= 1.0 <= high
    # 95 % but for chance (three deviations are 5 %) and for the skew of so few values.
    assert 0.88 <= covered / TRIALS <= 1.0


@pytest.mark.parametrize("share", [0.5, 0.97, 1.0])
def test_the_interval_of_a_share_covers_it(share: float) -> None:
    random = np.random.default_rng(4)
    covered = 0
    for trial in range(TRIALS):
        low, high = share_interval((random.random(22) < share).astype(float), seed=trial)
        covered += low <= share <= high
    assert covered / TRIALS >= 0.85


def test_more_units_make_a_narrower_interval() -> None:
    values = np.random.default_rng(5).normal(size=1_000)
    few, many = (
        bootstrap_interval(lambda drawn: float(values[drawn].mean()), n, seed=0)
        for n in (20, 1_000)
    )
    assert many[1] - many[0] < (few[1] - few[0]) / 3


def test_one_seed_draws_alike_so_differences_are_paired() -> None:
    values = np.random.default_rng(6).normal(size=50)

    def interval(shift: float, seed: int) -> tuple[float, float]:
        return bootstrap_interval(
            lambda drawn: float((values + shift)[drawn].mean()), 50, seed=seed
        )

    assert interval(0.0, 1) == interval(0.0, 1)
    assert interval(0.0, 1) != interval(0.0, 2)
    np.testing.assert_allclose(np.subtract(interval(1.0, 1), interval(0.0, 1)), 1.0)


@pytest.mark.parametrize("units", [1, 4, 22])
def test_where_all_or_none_are_found_the_bound_is_the_exact_one(units: int) -> None:
    low, high = share_interval(np.ones(units), seed=0)
    assert high == 1.0
    # A share at the bound would show as all found in 2.5 % of cases.
    assert low**units == pytest.approx(0.025)
    assert share_interval(np.zeros(units), seed=0) == (0.0, pytest.approx(1 - low))


def test_no_units_have_no_interval() -> None:
    with pytest.raises(ValueError, match="units = 0, expected at least 1"):
        bootstrap_interval(lambda drawn: 0.0, 0, seed=0)
    with pytest.raises(ValueError, match="units = 0"):
        share_interval(np.empty(0), seed=0)


def test_the_interval_of_a_count_covers_its_mean() -> None:
    random = np.random.default_rng(5)
    for mean in (0.5, 4.0, 40.0):
        counts = random.poisson(mean, size=400)
        held = [low <= mean <= high for low, high in map(count_interval, counts.tolist())]
        # Exact intervals hold it at least as often as they say, but for chance.
        assert np.mean(held) >= 0.92


def test_the_ends_of_a_count_are_those_of_its_own_probability() -> None:
    low, high = count_interval(7)
    few = sum(high**k * np.exp(-high) / math.factorial(k) for k in range(8))
    many = 1 - sum(low**k * np.exp(-low) / math.factorial(k) for k in range(7))
    assert (few, many) == (pytest.approx(0.025), pytest.approx(0.025))
    with pytest.raises(ValueError, match="at least 0"):
        count_interval(-1)
