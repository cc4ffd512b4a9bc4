"""What a surge is: many amounts at once, each on its own scale."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.detector import StateError
from models.surge import Surge

FEATURES = ("orders", "value", "volatility")
multiples = arrays(np.float64, (5, 3), elements=st.floats(-10, 1e12))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(X=multiples, column=st.integers(0, 2), more=st.floats(0, 1e6))
def test_more_of_any_amount_never_scores_lower(X: np.ndarray, column: int, more: float) -> None:
    surge = Surge(FEATURES)
    higher = X.copy()
    higher[:, column] += more
    assert (surge.score(higher) >= surge.score(X)).all()


@settings(max_examples=50, deadline=None, derandomize=True)
@given(X=multiples)
def test_the_terms_of_the_features_add_up_to_the_score(X: np.ndarray) -> None:
    surge = Surge(FEATURES)
    terms = surge.terms(X)
    assert (terms >= 0).all()
    np.testing.assert_array_equal(terms.sum(axis=1), surge.score(X))


def test_one_amount_at_a_thousand_counts_no_more_than_three_at_ten() -> None:
    one, three = Surge(FEATURES).score(np.array([[1000.0, 0.0, 0.0], [10.0, 10.0, 10.0]]))
    assert one < three
    assert one == pytest.approx(np.log(1001))


def test_what_is_below_zero_counts_as_nothing() -> None:
    below, nothing = Surge(FEATURES).score(np.array([[-5.0, -0.5, -1e9], [0.0, 0.0, 0.0]]))
    assert below == nothing == 0.0


def test_nothing_is_learned_from_history() -> None:
    X = np.random.default_rng(0).lognormal(size=(50, 3))
    assert Surge(FEATURES).warm
    fitted = Surge(FEATURES).fit(1000 * X, seed=3)
    np.testing.assert_array_equal(fitted.score(X), Surge(FEATURES).score(X))


def test_a_state_without_features_is_refused() -> None:
    with pytest.raises(StateError, match="'features'"):
        Surge.from_state({})
