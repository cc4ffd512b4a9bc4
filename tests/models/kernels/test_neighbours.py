"""The kernels equal what a few lines of plain Python say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.detector import Matrix
from models.kernels.neighbours import exponential_mean, mean_distance


def naive_distance(X: NDArray[np.float32], rows: NDArray[np.float32], nearest: int) -> Matrix:
    gaps = X[:, None, :].astype(float) - rows[None, :, :].astype(float)
    distance = np.sort(np.sqrt((gaps**2).sum(axis=2)), axis=1)
    return distance[:, :nearest].mean(axis=1) / np.sqrt(X.shape[1])


@st.composite
def queries(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], int]:
    """Rows, reference rows with ties among them, and how many count."""
    n, m, d = draw(st.integers(0, 40)), draw(st.integers(1, 60)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X, rows = rng.normal(size=(n, d)) * 10, rng.normal(size=(m, d)) * 10
    if draw(st.booleans()):
        X, rows = X.round(-1), rows.round(-1)
    if draw(st.booleans()):
        rows = rows[rng.integers(0, m, m)]
    return X.astype(np.float32), rows.astype(np.float32), draw(st.integers(1, m))


@settings(max_examples=60, deadline=None)
@given(queries())
def test_the_distance_equals_a_naive_computation(
    query: tuple[NDArray[np.float32], NDArray[np.float32], int],
) -> None:
    X, rows, nearest = query
    found = mean_distance(X, np.ascontiguousarray(rows.T), nearest)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, naive_distance(X, rows, nearest), rtol=2e-6, atol=1e-12)


def test_a_row_alone_is_as_far_as_in_a_batch() -> None:
    rng = np.random.default_rng(0)
    X, rows = rng.normal(size=(50, 7)), rng.normal(size=(7, 300))
    X, rows = X.astype(np.float32), rows.astype(np.float32)
    alone = [mean_distance(X[i : i + 1], rows, 5)[0] for i in range(len(X))]
    np.testing.assert_array_equal(alone, mean_distance(X, rows, 5))


def test_a_row_of_the_reference_finds_itself() -> None:
    rows = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    np.testing.assert_array_equal(mean_distance(rows, np.ascontiguousarray(rows.T), 1), 0.0)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 60),
    d=st.integers(1, 5),
    half_life=st.floats(0.01, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_running_mean_equals_a_plain_loop(n: int, d: int, half_life: float, seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(n, d)) * 100
    means = np.zeros((n, d))
    for i in range(n):
        keep = 0.5 ** (1 / half_life)
        means[i] = keep * means[i - 1] + (1 - keep) * X[i] if i else X[0]
    np.testing.assert_allclose(exponential_mean(X, half_life), means, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("half_life", [1, 5, 20])
def test_after_a_half_life_half_of_a_step_is_seen(half_life: int) -> None:
    step = np.r_[0.0, np.ones(3 * half_life)][:, None]
    mean = exponential_mean(step, float(half_life))[:, 0]
    assert mean[half_life::half_life] == pytest.approx([0.5, 0.75, 0.875], abs=1e-12)


def test_a_later_sample_changes_no_earlier_mean() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    before = exponential_mean(X, 5.0)[:30]
    X[30:] = 1e6
    np.testing.assert_array_equal(exponential_mean(X, 5.0)[:30], before)


def test_memory_that_may_only_be_read_is_read_and_not_written() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    narrow = X.astype(np.float32)
    rows = np.ascontiguousarray(narrow.T)
    expected = exponential_mean(X, 5.0), mean_distance(narrow, rows, 2)
    before = X.copy()
    for array in (X, narrow, rows):
        array.flags.writeable = False
    np.testing.assert_array_equal(exponential_mean(X, 5.0), expected[0])
    np.testing.assert_array_equal(mean_distance(narrow, rows, 2), expected[1])
    np.testing.assert_array_equal(X, before)
