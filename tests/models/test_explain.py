"""Contributions add up to the score, name the feature that did it, and are joined fairly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.combine import cauchy_combination
from models.detector import Detector, Matrix, MatrixError, State, Vector
from models.explain import contributions, evidence_shares, feature_shares, kept_share
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.kernels.attribution import expected_depth
from models.surge import Surge

FEATURES = ("a", "b", "c", "d", "e", "f")
HISTORY = np.random.default_rng(5).normal(size=(1_000, len(FEATURES)))
FOREST = IsolationForest(FEATURES).fit(HISTORY, seed=1)
TREES = HalfSpaceTrees(FEATURES).fit(HISTORY, seed=1)
rows = arrays(np.float64, (4, len(FEATURES)), elements=st.floats(-20, 20))
quick = settings(max_examples=40, deadline=None, derandomize=True)


def depth(forest: IsolationForest, X: Matrix) -> Vector:
    """Path length of each row over the average, from its score."""
    length: Vector = -np.log2(forest.score(X))
    return length


@quick
@given(X=rows)
def test_what_features_save_of_the_path_adds_up_to_the_score(X: np.ndarray) -> None:
    mean = expected_depth(FOREST.forest)[:, 1].sum() / FOREST.forest.normal
    changes = contributions(FOREST, X)
    np.testing.assert_allclose(changes.sum(axis=1), mean - depth(FOREST, X), atol=1e-12)


@pytest.mark.parametrize("repeats", [1, 7])
def test_the_expected_depth_is_the_mean_over_the_rows_a_tree_was_grown_from(repeats: int) -> None:
    # Rows that are repeated end in leaves of several samples at any depth.
    X = np.repeat(HISTORY[:100], repeats, axis=0)
    forest = IsolationForest(FEATURES, n_estimators=20, max_samples=len(X)).fit(X, seed=2)
    mean = expected_depth(forest.forest)[:, 1].sum() / forest.forest.normal
    assert mean == pytest.approx(depth(forest, X).mean(), abs=1e-12)


def test_the_expected_depth_of_a_node_is_that_of_the_samples_below_it() -> None:
    sklearn = pytest.importorskip("sklearn.ensemble")
    fitted = sklearn.IsolationForest(n_estimators=3, max_samples=64, random_state=0).fit(HISTORY)
    forest = type(FOREST.forest).from_sklearn(fitted)
    tree = fitted.estimators_[0].tree_
    left = tree.children_left[0]
    inside = HISTORY[fitted.estimators_samples_[0]].astype(np.float32)
    inside = inside[inside[:, tree.feature[0]] <= tree.threshold[0]]
    assert len(inside) == tree.n_node_samples[left]
    lengths = -np.log2(
        type(forest)(forest.feature[:1], forest.threshold[:1], forest.path_length[:1], 1.0).score(
            np.ascontiguousarray(inside, np.float64)
        )
    )
    assert expected_depth(forest)[0, 2] == pytest.approx(lengths.mean(), abs=1e-12)


@quick
@given(X=rows)
def test_the_mass_that_features_spare_adds_up_to_the_score(X: np.ndarray) -> None:
    last = HISTORY[-TREES.window_size :]
    changes = contributions(TREES, X)
    expected = TREES.score(X) - TREES.score(last).mean()
    np.testing.assert_allclose(changes.sum(axis=1), expected, atol=1e-12)


def test_masses_that_were_learned_since_are_used() -> None:
    trees = HalfSpaceTrees(FEATURES, window_size=100).fit(HISTORY, seed=1)
    trees.learn(HISTORY[:100] + 2.0)
    changes = contributions(trees, HISTORY[:9])
    expected = trees.score(HISTORY[:9]) - trees.score(HISTORY[:100] + 2.0).mean()
    np.testing.assert_allclose(changes.sum(axis=1), expected, atol=1e-12)


def test_a_forest_fitted_again_is_explained_anew() -> None:
    forest = IsolationForest(FEATURES).fit(HISTORY, seed=1)
    before = contributions(forest, HISTORY[:3])
    forest.fit(HISTORY + 5.0, seed=1)
    after = contributions(forest, HISTORY[:3])
    mean = expected_depth(forest.forest)[:, 1].sum() / forest.forest.normal
    np.testing.assert_allclose(after.sum(axis=1), mean - depth(forest, HISTORY[:3]), atol=1e-12)
    assert not np.allclose(before, after)


@pytest.mark.parametrize("multiples", [[1.0, 1.0, 1.0], [40.0, 0.5, 1.0]])
def test_the_terms_of_a_surge_add_up_to_its_score_less_a_typical_one(
    multiples: list[float],
) -> None:
    surge = Surge(FEATURES[:3])
    X = np.array([multiples])
    total = contributions(surge, X).sum()
    assert total == pytest.approx((surge.score(X) - surge.score(np.ones((1, 3))))[0])


@pytest.mark.parametrize("detector", [FOREST, TREES], ids=lambda detector: detector.name)
@pytest.mark.parametrize("column", range(len(FEATURES)))
def test_the_feature_that_was_changed_is_the_one_that_is_named(
    detector: Detector, column: int
) -> None:
    usual = np.zeros((1, len(FEATURES)))
    changed = usual.copy()
    changed[0, column] = 9.0
    changes = contributions(detector, changed)[0]
    assert changes.argmax() == column
    assert changes[column] > 0.5 * np.maximum(changes, 0).sum()
    assert changes[column] > contributions(detector, usual)[0, column]


@pytest.mark.parametrize("detector", [FOREST, TREES], ids=lambda detector: detector.name)
def test_explaining_changes_nothing_and_rows_do_not_matter_to_each_other(
    detector: Detector,
) -> None:
    X = HISTORY[:20]
    scores, kept = detector.score(X), X.copy()
    together = contributions(detector, X)
    apart = np.vstack([contributions(detector, X[i : i + 1]) for i in range(len(X))])
    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(detector.score(X), scores)
    np.testing.assert_array_equal(X, kept)


@pytest.mark.parametrize("detector", [FOREST, TREES, Surge(FEATURES)], ids=lambda d: d.name)
def test_what_no_detector_may_see_is_not_explained(detector: Detector) -> None:
    with pytest.raises(MatrixError, match="'c' is nan"):
        contributions(detector, np.where(np.arange(6) == 2, np.nan, np.zeros((1, 6))))


def test_a_detector_that_cannot_say_says_nothing() -> None:
    class Silent(Surge):
        pass

    class Mute(Detector):
        name = "mute"
        warm = True

        def _fit(self, X: Matrix, seed: int) -> None: ...

        def _score(self, X: Matrix) -> Vector:
            return np.zeros(len(X))

        def state(self) -> State:
            return {}

        @classmethod
        def from_state(cls, state: State) -> Mute:
            return cls(FEATURES)

    X = np.full((2, 6), 3.0)
    assert (contributions(Mute(FEATURES), X) == 0).all()
    assert (contributions(Silent(FEATURES), X) > 0).all()


probabilities = arrays(np.float64, (5, 3), elements=st.floats(1e-300, 1.0))


@quick
@given(p=probabilities)
def test_shares_of_the_evidence_sum_to_1_wherever_an_arm_finds_anything(p: np.ndarray) -> None:
    weights = np.array([0.2, 0.3, 0.5])
    shares = evidence_shares(p, weights)
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), (p < 0.5).any(axis=1).astype(float), atol=1e-12)
    combined = cauchy_combination(p, weights)
    assert (shares.sum(axis=1)[combined < 0.4] > 0).all()


def test_the_rarest_arm_has_the_evidence_at_equal_weights() -> None:
    shares = evidence_shares(np.array([[1e-3, 1e-6, 0.9]]), np.full(3, 1 / 3))
    assert shares[0] == pytest.approx([0.001, 0.999, 0.0], abs=1e-5)


changes_of = arrays(np.float64, (4, 3), elements=st.floats(-1e300, 1e300))


@quick
@given(first=changes_of, second=changes_of, share=st.floats(0, 1))
def test_shares_of_the_features_sum_to_1_or_there_is_no_evidence(
    first: np.ndarray, second: np.ndarray, share: float
) -> None:
    evidence = np.tile([share, 1 - share], (4, 1))
    shares = feature_shares([first, second], evidence, [[0, 1, 2], [4, 3, 1]], 5)
    assert ((shares >= 0) & (shares <= 1 + 1e-12)).all()
    known = ((first > 0).any(axis=1) & (share > 0)) | ((second > 0).any(axis=1) & (share < 1))
    np.testing.assert_allclose(shares.sum(axis=1), known.astype(float), atol=1e-9)


def test_an_arm_that_names_no_feature_leaves_its_share_to_the_others() -> None:
    silent, clear = np.zeros((1, 2)), np.array([[3.0, 1.0]])
    shares = feature_shares([silent, clear], np.array([[0.9, 0.1]]), [[0, 1], [0, 1]], 2)
    np.testing.assert_allclose(shares, [[0.75, 0.25]])


@quick
@given(limit=st.floats(0, 0.99))
def test_the_turning_point_is_found_from_above(limit: float) -> None:
    kept = kept_share(lambda t: t <= limit)
    assert kept is not None
    assert limit - 1 / 32**3 <= kept <= limit


def test_of_two_turning_points_the_smaller_change_is_found() -> None:
    kept = kept_share(lambda t: (t < 0.2) | ((t > 0.6) & (t < 0.7)))
    assert kept == pytest.approx(0.7, abs=1e-4)


def test_what_is_usual_already_keeps_all_and_what_never_is_has_no_turning_point() -> None:
    assert kept_share(lambda t: t <= 1.0) == 1.0
    assert kept_share(lambda t: t < 0.0) is None
