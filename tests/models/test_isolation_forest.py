"""Our scores are scikit-learn's."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import ensemble

from models.detector import Matrix, NotWarmError, StateError
from models.isolation_forest import IsolationForest
from models.kernels.forest import BLOCK, FEW_ROWS, PerfectForest, score_few, score_many


def names(d: int) -> list[str]:
    return [f"x{j}" for j in range(d)]


@st.composite
def matrices(draw: st.DrawFn) -> tuple[Matrix, Matrix]:
    """History and rows to score, with ties, constants, duplicates and wide scales."""
    n, d = draw(st.integers(1, 400)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, d)) * 10.0 ** draw(st.integers(-20, 20))
    if draw(st.booleans()):
        X = np.round(X, draw(st.integers(-1, 1)))
    if draw(st.booleans()):
        X[:, draw(st.integers(0, d - 1))] = draw(st.sampled_from([0.0, -0.0, 1.0 / 3.0, 1e30]))
    if draw(st.booleans()):
        X = X[rng.integers(0, max(1, n // 10), n)]
    # Rows of history lie on the cuts of a forest with ties; others lie beside and beyond.
    other = rng.normal(size=(draw(st.integers(0, 200)), d)) * np.abs(X).max()
    return X, np.vstack([X, other, np.nextafter(X, np.inf), np.zeros((1, d))])


@settings(max_examples=40, deadline=None)
@given(matrices(), st.sampled_from([1, 2, 3, 100, 256]), st.integers(0, 2**32 - 1))
def test_scores_equal_those_of_scikit_learn(
    data: tuple[Matrix, Matrix], max_samples: int, seed: int
) -> None:
    history, X = data
    peer = ensemble.IsolationForest(
        n_estimators=10, max_samples=min(max_samples, len(history)), random_state=seed
    ).fit(history)
    ours = IsolationForest(names(X.shape[1]), n_estimators=10, max_samples=max_samples)
    scores = ours.fit(history, seed=seed).score(X)
    np.testing.assert_allclose(scores, -peer.score_samples(X), rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("n", [1, FEW_ROWS - 1, FEW_ROWS, BLOCK - 1, BLOCK, BLOCK + 1, 1000])
def test_default_forest_equals_that_of_scikit_learn_for_any_number_of_rows(n: int) -> None:
    rng = np.random.default_rng(n)
    history, X = rng.normal(size=(2000, 16)), rng.normal(size=(n, 16)) * 3.0
    peer = ensemble.IsolationForest(random_state=0).fit(history)
    scores = IsolationForest(names(16)).fit(history, seed=0).score(X)
    np.testing.assert_allclose(scores, -peer.score_samples(X), rtol=0.0, atol=1e-12)


def test_both_kernels_give_the_same_bits() -> None:
    X = np.random.default_rng(0).normal(size=(500, 4))
    forest = IsolationForest(names(4)).fit(X, seed=0).forest
    parts = (forest.feature, forest.threshold, forest.path_length, forest.normal)
    np.testing.assert_array_equal(score_few(X, *parts), score_many(X, *parts))


@pytest.mark.parametrize("seed", range(3))
def test_rows_on_the_cuts_and_beside_go_the_way_they_go_in_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    history = rng.normal(size=(300, 2))
    peer = ensemble.IsolationForest(n_estimators=20, random_state=seed).fit(history)
    cuts = np.concatenate([tree.tree_.threshold for tree in peer.estimators_])
    near = cuts.astype(np.float32)
    down, up = (np.nextafter(near, np.float32(side)) for side in (-np.inf, np.inf))
    values = np.concatenate([cuts, near, down, up]).astype(np.float64)
    X = np.column_stack([values, rng.permutation(values)])
    scores = PerfectForest.from_sklearn(peer).score(X)
    np.testing.assert_allclose(scores, -peer.score_samples(X), rtol=0.0, atol=1e-12)


def test_values_beyond_float32_are_far_but_finite() -> None:
    history = np.random.default_rng(0).normal(size=(500, 2))
    forest = IsolationForest(names(2)).fit(history, seed=0)
    usual, low, high = forest.score(np.array([[0.0, 0.0], [-1e300, -1e300], [1e300, 1e300]]))
    assert usual < low < 1.0
    assert usual < high < 1.0
    history[0] = 1e300
    assert np.isfinite(IsolationForest(names(2)).fit(history, seed=0).score(history)).all()


def test_a_single_row_of_history_scores_one_half_as_in_scikit_learn() -> None:
    forest = IsolationForest(names(1)).fit(np.zeros((1, 1)), seed=0)
    np.testing.assert_array_equal(forest.score(np.array([[0.0], [9.0]])), [0.5, 0.5])


def test_a_forest_never_fitted_has_no_state() -> None:
    with pytest.raises(NotWarmError, match="never fitted"):
        IsolationForest(names(2)).state()


@pytest.mark.parametrize("parameter", ["n_estimators", "max_samples"])
def test_parameters_below_one_are_refused_by_name(parameter: str) -> None:
    with pytest.raises(ValueError, match=f"{parameter} is 0"):
        IsolationForest(names(2), **{parameter: 0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("height", 40),
        ("height", 7),
        ("feature", np.full((100, 256), 2, np.uint32)),
        ("feature", np.zeros((100, 256), np.int64)),
        ("threshold", np.zeros((100, 255), np.float32)),
        ("path_length", None),
        ("normal", 1),
    ],
)
def test_a_state_that_could_lead_a_kernel_astray_is_refused(key: str, value: object) -> None:
    history = np.random.default_rng(0).normal(size=(500, 2))
    state = dict(IsolationForest(names(2)).fit(history, seed=0).state())
    state[key] = value  # type: ignore[assignment]
    with pytest.raises(StateError):
        IsolationForest.from_state(state)


def test_scoring_imports_neither_scikit_learn_nor_river() -> None:
    code = "import sys, models; print({'sklearn', 'river'} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"
