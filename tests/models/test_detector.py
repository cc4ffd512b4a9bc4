"""The border of every detector."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.detector import MatrixError, StateError, as_matrix, state_array, state_value
from models.isolation_forest import IsolationForest

FEATURES = ("volume", "spread")


def test_a_good_matrix_passes_uncopied() -> None:
    X = np.zeros((3, 2))
    assert as_matrix(X, FEATURES) is X


@pytest.mark.parametrize("layout", ["fortran", "strided", "read-only"])
def test_another_memory_layout_is_copied_to_the_one_the_kernels_know(layout: str) -> None:
    X = np.arange(8.0).reshape(4, 2)
    given_matrix = {"fortran": np.asfortranarray(X), "strided": np.repeat(X, 2, 0)[::2]}.get(
        layout, X.copy()
    )
    if layout == "read-only":
        given_matrix.setflags(write=False)
    result = as_matrix(given_matrix, FEATURES)
    np.testing.assert_array_equal(result, X)
    assert result.flags.carray


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[1.0, 2.0]], "X is list, expected a numpy array of float64"),
        (np.zeros((1, 2), np.float32), "X is float32"),
        (np.zeros((1, 2), np.int64), "X is int64"),
        (np.zeros((1, 2), object), "X is object"),
        (np.zeros(2), r"shape \(2,\), expected \(n, 2\)"),
        (np.zeros((1, 3)), r"shape \(1, 3\), expected \(n, 2\).*volume, spread"),
        (np.zeros((1, 2, 1)), r"shape \(1, 2, 1\)"),
    ],
)
def test_a_wrong_type_or_shape_is_refused_with_what_was_expected(X: Any, message: str) -> None:
    with pytest.raises(MatrixError, match=message):
        as_matrix(X, FEATURES)


@given(
    n=st.integers(1, 40),
    d=st.integers(1, 20),
    place=st.integers(0, 799),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_the_first_non_finite_value_is_named(n: int, d: int, place: int, bad: float) -> None:
    X = np.full((n, d), np.finfo(np.float64).max)
    row, column = divmod(place % (n * d), d)
    X.flat[row * d + column :] = bad
    names = [f"x{j}" for j in range(d)]
    with pytest.raises(MatrixError) as refusal:
        as_matrix(X, names)
    assert str(refusal.value) == (
        f"feature 'x{column}' is {bad} in row {row}, expected a finite number"
    )


def test_entity_and_window_are_named_when_they_are_known() -> None:
    X = np.array([[1.0, 2.0], [3.0, np.nan]])
    with pytest.raises(
        MatrixError, match="'spread' is nan in row 1, entity BTC-USD, window 12:00:05"
    ):
        as_matrix(X, FEATURES, ["ETH-USD", "BTC-USD"], ["12:00:00", "12:00:05"])


@pytest.mark.parametrize("features", [[], ["volume", "volume"]])
def test_feature_names_are_distinct_and_at_least_one(features: list[str]) -> None:
    with pytest.raises(ValueError, match="expected distinct names"):
        IsolationForest(features)


def test_fitting_to_no_rows_is_refused() -> None:
    with pytest.raises(MatrixError, match="no rows"):
        IsolationForest(FEATURES).fit(np.zeros((0, 2)), seed=0)


@pytest.mark.parametrize("state", [{}, {"height": 8.0}, {"height": True}, {"height": "8"}])
def test_a_value_of_another_type_is_no_state(state: dict[str, Any]) -> None:
    with pytest.raises(StateError, match=r"'height' is .* expected int"):
        state_value(state, "height", int)


def test_an_array_of_a_state_is_a_copy() -> None:
    mass = np.zeros(3)
    state_array({"mass": mass}, "mass", np.float64, (3,))[0] = 1.0
    assert not mass.any()


def test_an_array_of_another_type_or_shape_is_no_state() -> None:
    with pytest.raises(StateError, match=r"'mass' is float64 \(3,\), expected int32 \(3,\)"):
        state_array({"mass": np.zeros(3)}, "mass", np.int32, (3,))
    with pytest.raises(StateError, match=r"expected float64 \(4,\)"):
        state_array({"mass": np.zeros(3)}, "mass", np.float64, (4,))
