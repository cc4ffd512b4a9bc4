"""Several probabilities as one: still a rate, whatever the arms have in common."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.combine import cauchy_combination

EVEN = np.full(3, 1 / 3)
ROWS = 400_000
quick = settings(max_examples=80, deadline=None, derandomize=True)
probabilities = st.one_of(
    st.floats(1e-300, 1.0), st.floats(-300, 0).map(lambda exponent: 10.0**exponent)
)


def uniform(dependence: str) -> np.ndarray:
    """Probabilities of normal windows: three arms, shape (ROWS, 3), each column uniform."""
    rng = np.random.default_rng(11)
    own = rng.random((ROWS, 3))
    if dependence == "independent":
        return own
    if dependence == "one arm thrice":
        return np.repeat(own[:, :1], 3, axis=1)
    # Each row takes each arm's value from a common one or its own: uniform, and correlated.
    return np.where(rng.random((ROWS, 3)) < 0.6, own[:, :1], own)


@pytest.mark.parametrize("dependence", ["independent", "one arm thrice", "partly shared"])
@pytest.mark.parametrize("weights", [EVEN, np.array([0.9, 0.09, 0.01])])
@pytest.mark.parametrize("level", [1e-2, 1e-3])
def test_a_normal_window_is_called_rare_as_often_as_said(
    dependence: str, weights: np.ndarray, level: float
) -> None:
    rate = (cauchy_combination(uniform(dependence), weights) <= level).mean()
    noise = 4 * np.sqrt(level / ROWS)
    assert rate <= 1.05 * level + noise
    assert rate >= 0.85 * level - noise


@quick
@given(p=st.lists(probabilities, min_size=3, max_size=3), order=st.permutations(range(3)))
def test_the_order_of_the_arms_does_not_matter(p: list[float], order: list[int]) -> None:
    row, weights = np.array([p]), np.array([0.7, 0.2, 0.1])
    moved = cauchy_combination(row[:, order], weights[order])
    np.testing.assert_allclose(moved, cauchy_combination(row, weights), rtol=1e-9)


@quick
@given(
    p=st.lists(probabilities, min_size=3, max_size=3),
    arm=st.integers(0, 2),
    factor=st.floats(1e-6, 1.0),
)
def test_a_rarer_arm_never_makes_a_window_less_rare(
    p: list[float], arm: int, factor: float
) -> None:
    row = np.array([p])
    rarer = row.copy()
    rarer[0, arm] = max(rarer[0, arm] * factor, 1e-300)
    one, other = cauchy_combination(rarer, EVEN)[0], cauchy_combination(row, EVEN)[0]
    assert one <= other * (1 + 1e-9)


@quick
@given(p=st.lists(probabilities, min_size=3, max_size=3))
def test_the_result_is_a_probability_above_zero(p: list[float]) -> None:
    combined = cauchy_combination(np.array([p]), EVEN)
    assert 0 < combined[0] <= 1


@quick
@given(p=st.one_of(probabilities, st.floats(1e-16, 1e-14)).filter(lambda p: p <= 0.99))
def test_one_arm_alone_keeps_its_probability(p: float) -> None:
    combined = cauchy_combination(np.array([[p]]), np.ones(1))
    # The arc tangent near 1/2 leaves about 1e-16 absolutely; small values have their own branch.
    assert combined[0] == pytest.approx(p, rel=1e-6, abs=2e-16 if p > 1e-16 else 0)


@pytest.mark.parametrize("p", [1e-8, 1e-14, 1e-16, 1e-40, 1e-299])
def test_a_tiny_probability_is_divided_by_the_weight_of_its_arm(p: float) -> None:
    combined = cauchy_combination(np.array([[0.5, p, 0.5]]), np.array([0.7, 0.2, 0.1]))
    assert combined[0] == pytest.approx(p / 0.2, rel=0.3 if p == 1e-16 else 0.02, abs=0)


def test_an_arm_without_weight_has_no_say() -> None:
    weights = np.array([1.0, 0.0])
    one, other = cauchy_combination(np.array([[0.01, 0.9], [0.01, 1e-12]]), weights)
    assert one == other


def test_arms_that_see_nothing_do_not_outvote_one_that_does() -> None:
    combined = cauchy_combination(np.array([[1.0, 1.0, 1e-6]]), EVEN)
    assert combined[0] == pytest.approx(3e-6, rel=0.01)


def test_where_no_arm_sees_anything_nothing_is_rare() -> None:
    assert cauchy_combination(np.ones((1, 3)), EVEN)[0] == pytest.approx(0.99)


def test_no_rows_give_no_rows() -> None:
    assert cauchy_combination(np.empty((0, 3)), EVEN).shape == (0,)
