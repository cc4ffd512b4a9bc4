"""Changes of level are found where River finds them, one series apart from another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from river import drift

from models.change import DELTA, STEP_DAYS, Change
from models.detector import Matrix, MatrixError, NotWarmError, StateError
from models.kernels.change import COUNT, DRIFT, FALL, LEAST, LEAST_COUNT, MEAN, MOST, RISE

DAILY = 10


def rivers() -> drift.PageHinkley:
    return drift.PageHinkley(
        min_instances=LEAST_COUNT, delta=DELTA, threshold=STEP_DAYS * DAILY, alpha=1.0
    )


def kept(peer: drift.PageHinkley) -> list[float]:
    """What a River test keeps, as our columns."""
    return [
        peer._x_mean.n,
        peer._x_mean.get(),
        peer._sum_increase,
        peer._sum_decrease,
        peer._min_increase,
        peer._max_decrease,
        float(peer.drift_detected),
    ]


COLUMNS = [COUNT, MEAN, RISE, FALL, LEAST, MOST, DRIFT]
walks = arrays(np.float64, (400, 2), elements=st.floats(-30, 30)).map(
    lambda steps: np.cumsum(steps, axis=0) / 10 + 40.0
)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(X=walks, keys=arrays(np.int64, 400, elements=st.integers(0, 2)))
def test_every_series_is_rivers_page_hinkley_row_by_row(X: Matrix, keys: Matrix) -> None:
    columns = ["a", "b", "key", "time"]
    rows = np.column_stack([X, keys, np.arange(len(X))]).astype(float)
    ours = Change(columns, daily=DAILY, keyed=True).fit(rows[:1], seed=0)
    peers = [[rivers() for _ in range(2)] for _ in range(3)]
    for i, (row, key) in enumerate(zip(X.tolist(), keys.tolist(), strict=True)):
        for peer, x in zip(peers[key], row, strict=True):
            if x != 0.0:
                peer.update(x)
        if i:
            ours.learn(rows[i : i + 1])
        series = ours.state()["series"]
        for f, peer in enumerate(peers[key]):
            if peer._x_mean.n:
                assert series[key, f, COLUMNS].tolist() == kept(peer)


def test_one_batch_is_rivers_too_and_finds_its_drifts() -> None:
    level = np.repeat([50.0, 58.0, 50.0], 300)
    X = (level + np.random.default_rng(0).normal(size=900))[:, None]
    peer, found = rivers(), 0
    for x in X[:, 0].tolist():
        peer.update(x)
        found += peer.drift_detected
    assert found == 2
    ours = Change(["orders"], daily=DAILY).fit(X, seed=0)
    assert ours.state()["series"][0, 0, COLUMNS].tolist() == kept(peer)


def test_a_level_that_creeps_up_scores_higher_each_day_and_one_that_stays_does_not() -> None:
    rng = np.random.default_rng(1)
    still = 50.0 + 0.3 * rng.normal(size=(400, 1))
    creeping = still + 0.006 * np.arange(400)[:, None]
    for X, grows in ((still, False), (creeping, True)):
        ours = Change(["orders"], daily=DAILY).fit(still, seed=0)
        scores = []
        for i in range(0, 400, 50):
            scores.append(ours.score(X[i : i + 1])[0])
            ours.learn(X[i : i + 50])
        assert (scores[2:] == sorted(scores[2:]) and scores[-1] > 0.4) == grows
        assert grows or max(scores) < 0.05


def test_after_a_certain_change_the_new_level_is_the_level() -> None:
    ours = Change(["orders"], daily=DAILY).fit(np.full((200, 1), 50.0), seed=0)
    ours.learn(np.full((20, 1), 60.0))
    assert 0.4 < ours.score(np.array([[60.0]]))[0] < 1.0
    ours.learn(np.full((80, 1), 60.0))
    assert ours.score(np.array([[60.0]]))[0] == 0.0


@pytest.mark.parametrize("side", [1, -1])
def test_the_level_before_and_when_it_changed_are_told(side: int) -> None:
    columns = ["orders", "key", "time"]
    levels = np.r_[np.full(200, 50.0), np.full(20, 50.0 + side * 10.0)]
    X = np.column_stack([levels, np.full(220, 3.0), 1_000.0 * np.arange(220)])
    ours = Change(columns, daily=DAILY, keyed=True).fit(X, seed=0)
    before, since = ours.shifts(X[-1:])
    assert before[0, 0] == pytest.approx(50.0, abs=0.1)
    assert since[0, 0] == 199_000.0
    assert np.isnan(before[0, 1:]).all()
    other = X[-1:].copy()
    other[0, 1] = 2.0
    assert np.isnan(ours.shifts(other)[0]).all()


def test_keys_do_not_touch_each_other_and_an_unknown_one_scores_nothing() -> None:
    X = np.column_stack([np.full(400, 50.0), np.tile([0.0, 1.0], 200), np.arange(400.0)])
    X[340::2, 0] = 59.0
    ours = Change(["orders", "key", "time"], daily=DAILY, keyed=True).fit(X, seed=0)
    scores = ours.score(np.array([[59.0, 0.0, 9.0], [50.0, 1.0, 9.0], [99.0, 7.0, 9.0]]))
    assert scores[0] > 0.5
    assert scores[1:].tolist() == [0.0, 0.0]


def test_where_a_series_settles_is_no_change() -> None:
    X = np.r_[np.linspace(90.0, 50.0, 100), np.full(300, 50.0)][:, None]
    settled = Change(["orders"], daily=DAILY, settle=100).fit(X, seed=0)
    assert settled.score(np.array([[50.0]]))[0] == 0.0
    hasty = Change(["orders"], daily=1000).fit(X, seed=0)
    assert hasty.score(np.array([[50.0]]))[0] > 0.0


def test_only_the_side_of_concern_counts() -> None:
    X = np.repeat([50.0, 60.0], [200, 15])[:, None] * [1.0, 1.0]
    ours = Change(["a", "b"], daily=DAILY, sides=[1, -1]).fit(X, seed=0)
    terms = ours.terms(X[-1:])
    assert terms[0, 0] > 0.0
    assert terms[0, 1] == 0.0


def test_exactly_nothing_and_huge_numbers_do_no_harm() -> None:
    ours = Change(["orders"], daily=DAILY).fit(np.full((100, 1), 50.0), seed=0)
    before = ours.state()["series"]
    ours.learn(np.zeros((50, 1)))
    np.testing.assert_array_equal(ours.state()["series"], before)
    ours.learn(np.array([[1e308], [-1e308]]))
    assert np.isfinite(ours.score(np.array([[1e308], [0.0], [3.0]]))).all()


@pytest.mark.parametrize("key", [-1.0, 1e15])
def test_a_key_that_is_none_is_refused(key: float) -> None:
    ours = Change(["orders", "key", "time"], keyed=True).fit(np.zeros((1, 3)), seed=0)
    for verb in (ours.score, ours.learn):
        with pytest.raises(MatrixError, match="'key'"):
            verb(np.array([[1.0, key, 0.0]]))


def test_what_was_never_fitted_does_not_learn() -> None:
    with pytest.raises(NotWarmError):
        Change(["orders"]).learn(np.ones((1, 1)))


@pytest.mark.parametrize(
    "wrong", [{"keyed": True}, {"sides": (1,)}, {"sides": (2, 0)}, {"daily": 0}]
)
def test_impossible_columns_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Change(["a", "b"], **wrong)  # type: ignore[arg-type]


def test_a_wrong_state_is_refused() -> None:
    state = Change(["a"]).fit(np.ones((3, 1)), seed=0).state()
    for part, value in (("series", np.zeros((1, 2, 12))), ("sides", ["up"]), ("daily", None)):
        with pytest.raises((StateError, ValueError)):
            Change.from_state({**state, part: value})
