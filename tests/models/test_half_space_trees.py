"""Our scores and masses are River's, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import anomaly

from models.detector import Matrix, NotWarmError, StateError, Vector
from models.half_space_trees import HalfSpaceTrees, squash
from models.kernels.half_space import HalfSpaces

FEATURES = ["volume", "spread"]


def river_scores(model: anomaly.HalfSpaceTrees, X: Matrix) -> Vector:
    """Score, then learn, row by row."""
    scores = np.empty(len(X))
    for i, x in enumerate(X):
        row = dict(enumerate(x.tolist()))
        scores[i] = model.score_one(row)
        model.learn_one(row)
    return scores


def same_masses(ours: HalfSpaces, model: anomaly.HalfSpaceTrees, d: int) -> None:
    peer = HalfSpaces.from_river(model, range(d))
    np.testing.assert_array_equal(ours.feature, peer.feature)
    np.testing.assert_array_equal(ours.threshold, peer.threshold)
    np.testing.assert_array_equal(ours.l_mass, peer.l_mass)
    np.testing.assert_array_equal(ours.r_mass, peer.r_mass)
    assert ours.clock[0] == peer.clock[0]
    assert ours.warm == peer.warm


@settings(max_examples=40, deadline=None)
@given(
    d=st.integers(1, 12),
    n_trees=st.integers(1, 8),
    height=st.integers(1, 7),
    window_size=st.integers(1, 90),
    windows=st.floats(0.1, 4.5),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([0.02, 0.3, 1.0, 5.0]),
)
def test_scores_and_masses_equal_those_of_river(
    d: int,
    n_trees: int,
    height: int,
    window_size: int,
    windows: float,
    seed: int,
    spread: float,
) -> None:
    rng = np.random.default_rng(seed)
    X = 0.5 + spread * (rng.random((max(1, int(windows * window_size)), d)) - 0.5)
    model = anomaly.HalfSpaceTrees(
        n_trees=n_trees, height=height, window_size=window_size, seed=seed
    )
    ours = HalfSpaces.grow(d, n_trees=n_trees, height=height, window_size=window_size, seed=seed)
    # Some values lie on a cut: they go right.
    on_a_cut = rng.random(X.shape) < 0.2
    X[on_a_cut] = rng.choice(ours.threshold[:, 1:].ravel(), on_a_cut.sum())
    np.testing.assert_array_equal(ours.score_learn(X), river_scores(model, X))
    same_masses(ours, model, d)


def test_default_trees_equal_those_of_river_over_three_windows() -> None:
    X = np.random.default_rng(0).beta(2.0, 5.0, size=(800, 16))
    model = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=1)
    ours = HalfSpaces.grow(16, n_trees=25, height=8, window_size=250, seed=1)
    scores = ours.score_learn(X)
    np.testing.assert_array_equal(scores, river_scores(model, X))
    assert not scores[:250].any()
    assert scores[250:].all()
    same_masses(ours, model, 16)


def test_a_river_model_can_be_taken_over_in_the_middle_of_a_window() -> None:
    X = np.random.default_rng(0).random((500, 3))
    model = anomaly.HalfSpaceTrees(n_trees=5, height=4, window_size=60, seed=1)
    river_scores(model, X[:200])
    ours = HalfSpaces.from_river(model, range(3))
    np.testing.assert_array_equal(ours.score_learn(X[200:]), river_scores(model, X[200:]))
    same_masses(ours, model, 3)


def test_a_row_at_a_time_equals_one_call() -> None:
    X = np.random.default_rng(0).random((300, 3))
    at_once = HalfSpaces.grow(3, n_trees=5, height=4, window_size=70, seed=0)
    by_row = at_once.copy()
    scores = []
    for i in range(len(X)):
        scores.append(by_row.score(X[i : i + 1])[0])
        by_row.learn(X[i : i + 1])
    np.testing.assert_array_equal(at_once.score_learn(X), scores)


def history(n: int = 600) -> Matrix:
    return np.random.default_rng(0).lognormal(size=(n, 2))


def test_cold_until_the_first_window_is_full() -> None:
    trees = HalfSpaceTrees(FEATURES).fit(history(249), seed=0)
    assert not trees.warm
    with pytest.raises(NotWarmError, match="not warm"):
        trees.score(history(1))
    trees.learn(history(1))
    assert trees.warm


def test_learning_before_fitting_is_refused() -> None:
    with pytest.raises(NotWarmError, match="never fitted"):
        HalfSpaceTrees(FEATURES).learn(history())


def test_score_learn_scores_each_row_before_it_is_learned() -> None:
    state = HalfSpaceTrees(FEATURES).fit(history(300), seed=0).state()
    together, apart = (HalfSpaceTrees.from_state(state) for _ in range(2))
    expected = []
    for row in history(700)[:, np.newaxis]:
        expected.append(apart.score(row)[0])
        apart.learn(row)
    np.testing.assert_array_equal(together.score_learn(history(700)), expected)


def test_score_learn_gives_no_score_to_cold_rows() -> None:
    scores = HalfSpaceTrees(FEATURES).fit(history(200), seed=0).score_learn(history(100))
    assert np.isnan(scores[:50]).all()
    assert np.isfinite(scores[50:]).all()


def test_the_bulk_of_history_comes_to_the_middle_half() -> None:
    X = history(5000)
    trees = HalfSpaceTrees(FEATURES).fit(X, seed=0)
    state = trees.state()
    lower, upper = np.asarray(state["lower"]), np.asarray(state["upper"])
    quantiles = np.quantile(X, [0.01, 0.99], axis=0, method="inverted_cdf")
    np.testing.assert_allclose(squash(quantiles, lower, upper), [[0.25, 0.25], [0.75, 0.75]])


def test_a_rare_value_in_an_otherwise_constant_column_keeps_its_place() -> None:
    X = np.zeros((1000, 1))
    X[::250] = 8.0
    state = HalfSpaceTrees(["errors"]).fit(X, seed=0).state()
    unit = squash(
        np.array([[0.0], [4.0], [8.0], [99.0]]),
        np.asarray(state["lower"]),
        np.asarray(state["upper"]),
    )
    np.testing.assert_array_equal(unit.ravel(), [0.0, 0.5, 1.0, 1.0])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_squash_stays_in_the_unit_interval_and_keeps_order(values: list[float]) -> None:
    x, lower, upper = values
    ends = np.array([min(lower, upper)]), np.array([max(lower, upper)])
    X = np.sort(np.array([x, lower, upper, 0.0]))[:, np.newaxis]
    unit = squash(X, *ends).ravel()
    assert ((unit >= 0.0) & (unit <= 1.0)).all()
    assert (np.diff(unit) >= 0.0).all()


def test_history_of_the_largest_numbers_is_survived() -> None:
    X = np.random.default_rng(0).uniform(-1.0, 1.0, size=(600, 2)) * 1.7e308
    assert np.isfinite(HalfSpaceTrees(FEATURES).fit(X, seed=0).score(X)).all()


@pytest.mark.parametrize("parameter", ["n_trees", "height", "window_size"])
def test_parameters_below_one_are_refused_by_name(parameter: str) -> None:
    with pytest.raises(ValueError, match=f"{parameter} is 0"):
        HalfSpaceTrees(FEATURES, **{parameter: 0})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("height", 40),
        ("height", 7),
        ("feature", np.full((25, 256), 2, np.uint32)),
        ("threshold", np.zeros((25, 255))),
        ("l_mass", np.zeros((25, 512), np.int64)),
        ("clock", np.array([250, 0])),
        ("clock", np.array([-1, 0])),
        ("lower", None),
    ],
)
def test_a_state_that_could_lead_a_kernel_astray_is_refused(key: str, value: object) -> None:
    state = dict(HalfSpaceTrees(FEATURES).fit(history(), seed=0).state())
    state[key] = value  # type: ignore[assignment]
    with pytest.raises(StateError):
        HalfSpaceTrees.from_state(state)
