"""What is far from all that was normal scores high, and what is further scores higher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from models.detector import Matrix, NotWarmError, State, StateError, Vector
from models.nearest_normal import NearestNormal, column_scale
from models.persistence import load, save

FEATURES = ["load", "latency", "errors"]


def some(n: int, seed: int = 0) -> Matrix:
    """Rows of three columns of different place, scale and shape."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.normal(5, 1, n), rng.lognormal(3, 1, n), rng.beta(1, 20, n)])


def fitted(n: int = 600, **parameters: int) -> NearestNormal:
    return NearestNormal(FEATURES, **parameters).fit(some(n), seed=3)


def assert_same_state(one: State, other: State) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, other[key], err_msg=key)


def mean_of_nearest(row: Vector, rows: Matrix, nearest: int) -> float:
    distance = np.sqrt(((rows - row) ** 2).mean(axis=1))
    return float(np.sort(distance)[:nearest].mean())


@pytest.mark.parametrize(("n", "nearest", "reference"), [(600, 5, 1000), (600, 3, 80), (4, 5, 9)])
def test_a_score_is_the_mean_distance_to_the_nearest_reference_rows(
    n: int, nearest: int, reference: int
) -> None:
    detector = fitted(n, nearest=nearest, reference=reference)
    history, X = some(n), some(50, seed=1)
    mean, spread = history.mean(axis=0), history.std(axis=0)
    rows = np.asarray(detector.state()["references"], float).T
    assert len(rows) == min(n, reference)
    scaled = (history - mean) / spread
    assert all(np.abs(scaled - row).sum(axis=1).min() < 1e-5 for row in rows)
    expected = [mean_of_nearest((x - mean) / spread, rows, nearest) for x in X]
    np.testing.assert_allclose(detector.score(X), expected, rtol=1e-4)


@pytest.mark.parametrize(("n", "reference"), [(600, 1000), (600, 80), (6, 9), (3, 9), (2, 9)])
def test_usual_is_what_each_reference_row_scores_against_the_others(n: int, reference: int) -> None:
    detector = fitted(n, reference=reference)
    rows = np.asarray(detector.state()["references"], float).T
    alone = [mean_of_nearest(rows[i], np.delete(rows, i, axis=0), 5) for i in range(len(rows))]
    np.testing.assert_allclose(detector.usual, np.sort(alone), rtol=1e-4)


def test_usual_of_copies_of_one_row_is_zero() -> None:
    detector = NearestNormal(FEATURES).fit(np.tile(some(1), (50, 1)), seed=0)
    np.testing.assert_array_equal(detector.usual, np.zeros(50))


def test_one_row_alone_has_no_usual_score_even_after_another_life() -> None:
    assert not len(fitted().fit(some(1), seed=0).usual)


def test_new_rows_of_the_same_kind_score_what_is_usual() -> None:
    detector, X = fitted(4_000), some(4_000, seed=9)
    for share in (0.5, 0.9, 0.99):
        above = (detector.score(X) > np.quantile(detector.usual, share)).mean()
        assert above == pytest.approx(1 - share, abs=0.03)


def test_the_score_grows_beyond_all_seen_where_that_of_a_forest_stands_still() -> None:
    history = np.random.default_rng(0).normal(size=(1_000, 2))
    away = np.linspace(6, 18, 13)[:, None] * np.ones(2)
    ours = NearestNormal(["a", "b"]).fit(history, seed=0).score(away)
    assert (np.diff(ours) > 0.9).all()
    forest = -IsolationForest(random_state=0).fit(history).score_samples(away)
    assert np.ptp(forest) == 0


def test_between_two_normal_shapes_is_not_normal() -> None:
    rng = np.random.default_rng(0)
    day, night = rng.normal(-5, 0.5, (500, 2)), rng.normal(5, 0.5, (500, 2))
    detector = NearestNormal(["a", "b"]).fit(np.vstack([day, night]), seed=0)
    score = detector.score(np.array([[-5.0, -5.0], [5.0, 5.0], [0.0, 0.0]]))
    assert score[2] > 10 * score[:2].max()


def test_a_column_beyond_the_clip_is_not_further() -> None:
    history = np.random.default_rng(0).normal(size=(500, 4))
    detector = NearestNormal(list("abcd"), clip=20).fit(history, seed=0)
    wild = np.zeros((5, 4))
    wild[:, 1] = 15.0, 25.0, 1e300, -25.0, -1e300
    near, *far = detector.score(wild)
    assert near < min(far)
    assert far[0] == far[1]
    assert far[2] == far[3]
    # 20 spreads in one of four columns, but for the way to the nearest of the reference.
    assert far == pytest.approx([10] * 4, rel=0.2)


@pytest.mark.parametrize("constant", [0.0, 1e-9, 3.0, -1e12, 0.1])
def test_a_column_that_never_moved_is_missed_by_nothing_when_it_moves(constant: float) -> None:
    history = some(500)
    history[:, 2] = constant
    detector = NearestNormal(FEATURES).fit(history, seed=0)
    assert np.isfinite(detector.score(history)).all()
    still = np.tile(history[:1], (4, 1))
    # By nothing, by 1 %, by a tenth, by as much again.
    still[:, 2] += np.array([0, 0.01, 0.1, 1]) * (abs(constant) + 1e-4)
    score = detector.score(still)
    assert (np.diff(score) > 0).all()
    # A tenth of its size is ten of the spreads that it never had.
    assert score[2] > detector.usual.max()


def test_the_scale_of_columns_is_mean_and_deviation_and_never_zero() -> None:
    rows = some(300)
    rows[:, 1], rows[:, 2] = 0.1, 0.0
    mean, spread = column_scale(rows)
    np.testing.assert_allclose(mean, rows.mean(axis=0))
    np.testing.assert_allclose(spread, [rows[:, 0].std(), 1e-6 + 1e-3, 1e-6])


@settings(max_examples=30, deadline=None)
@given(
    first=st.integers(1, 250),
    cuts=st.lists(st.integers(0, 700), max_size=8),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_was_learned_does_not_depend_on_the_pieces_it_came_in(
    first: int, cuts: list[int], seed: int
) -> None:
    history, X = some(first), some(700, seed=1)
    whole, pieces = (
        NearestNormal(FEATURES, reference=60).fit(history, seed=seed) for _ in range(2)
    )
    whole.learn(X)
    for piece in np.split(X, sorted(cuts)):
        pieces.learn(piece)
    assert_same_state(whole.state(), pieces.state())
    np.testing.assert_array_equal(whole.score(X), pieces.score(X))


def test_the_reference_is_renewed_when_the_rows_have_doubled_or_grown_by_a_hundred() -> None:
    detector = NearestNormal(FEATURES).fit(some(1), seed=0)
    renewed = []
    for number in range(2, 501):
        before = detector.state()["mean"]
        detector.learn(some(1, seed=number))
        if not np.array_equal(before, detector.state()["mean"]):
            renewed.append(number)
    assert renewed == [2, 4, 8, 16, 32, 64, 128, 228, 328, 428]


def test_what_is_new_becomes_normal_by_being_learned() -> None:
    detector, new = fitted(), some(600, seed=1) + 20
    before = detector.score(new).mean()
    detector.learn(new)
    assert detector.score(new).mean() < before / 10


def test_no_more_is_kept_than_the_sample_and_the_reference() -> None:
    state = fitted(10_000).state()
    assert np.shape(state["rows"]) == (4_000, 3)
    assert np.shape(state["references"]) == (3, 1_000)
    assert state["seen"] == 10_000


def test_the_seed_draws_the_reference() -> None:
    one, other = (NearestNormal(FEATURES, reference=50).fit(some(600), seed=s) for s in (1, 2))
    assert not np.array_equal(one.score(some(20)), other.score(some(20)))


def test_cold_is_not_a_low_score() -> None:
    cold = NearestNormal(FEATURES)
    assert not cold.warm
    with pytest.raises(NotWarmError):
        cold.score(some(3))
    with pytest.raises(NotWarmError, match="never fitted"):
        cold.state()


@pytest.mark.parametrize("parameter", ["nearest", "reference"])
def test_a_count_below_one_is_refused_by_name(parameter: str) -> None:
    with pytest.raises(ValueError, match=f"{parameter} is 0"):
        fitted(**{parameter: 0})


def test_a_file_keeps_what_was_learned_and_what_will_be(tmp_path: Path) -> None:
    # A clip written without its point is a number like any other.
    detector = NearestNormal(FEATURES, nearest=3, reference=90, clip=8).fit(some(5_000), seed=5)
    detector.learn(some(77, seed=1))
    save(detector, tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert isinstance(again, NearestNormal)
    assert_same_state(again.state(), detector.state())
    np.testing.assert_array_equal(again.usual, detector.usual)
    for one in (again, detector):
        one.learn(some(333, seed=2))
    assert_same_state(again.state(), detector.state())
    np.testing.assert_array_equal(again.score(some(50)), detector.score(some(50)))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("references", None),
        ("references", np.zeros((2, 5), np.float32)),
        ("references", np.zeros((3, 5))),
        ("usual", None),
        ("usual", np.zeros((2, 2))),
        ("mean", np.zeros(2)),
        ("spread", "wide"),
        ("rows", np.zeros((599, 3))),
        ("next", 1.5),
        ("nearest", "5"),
        ("clip", None),
    ],
)
def test_a_damaged_state_is_refused_by_the_name_of_its_part(key: str, value: object) -> None:
    state = {**fitted().state(), key: value}
    with pytest.raises(StateError, match=key):
        NearestNormal.from_state(state)  # type: ignore[arg-type]
