"""How rare a score is: a rank where there is enough past, a fitted tail beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import PRIOR_SHAPE, Calibration
from models.detector import StateError

quick = settings(max_examples=60, deadline=None, derandomize=True)
scores = st.floats(-1e6, 1e6)


def learned(raw: np.ndarray, **options: bool | int) -> Calibration:
    calibration = Calibration(seed=0, **options)  # type: ignore[arg-type]
    calibration.learn(raw)
    return calibration


@pytest.fixture(scope="module")
def warm() -> Calibration:
    return learned(np.random.default_rng(1).exponential(size=20_000))


@quick
@given(
    raw=st.lists(st.one_of(scores, st.sampled_from([0.0, 1.0])), min_size=2, max_size=30),
    level=st.floats(0, 1),
)
def test_a_rank_is_valid_for_exchangeable_scores(raw: list[float], level: float) -> None:
    # Of n + 1 exchangeable scores each is as likely to be the new one: leave each out in turn.
    values = np.array(raw)
    p = np.array(
        [
            learned(np.delete(values, i)).probability(values[i : i + 1])[0]
            for i in range(len(values))
        ]
    )
    assert (p <= level).sum() <= level * len(values) * (1 + 1e-12)


def test_fresh_scores_are_called_rare_as_often_as_said(warm: Calibration) -> None:
    fresh = warm.probability(np.random.default_rng(2).exponential(size=500_000))
    for level in (0.5, 0.1, 0.03, 0.02, 0.01, 1e-3):
        # Two errors: of the 500,000 fresh scores, and of the 20,000 in the reference.
        noise = 4 * np.sqrt(level * (1 / 500_000 + 1 / 20_000))
        assert (fresh <= level).mean() == pytest.approx(level, abs=noise)


@quick
@given(raw=st.lists(st.one_of(scores, st.floats(3, 6), st.floats(0, 1e300)), min_size=2))
def test_a_higher_score_is_never_less_rare(warm: Calibration, raw: list[float]) -> None:
    for calibration in (warm, learned(np.array([0.0, 1.0, 1.0, 5.0]))):
        p = calibration.probability(np.sort(np.array(raw)))
        assert (np.diff(p) <= 0).all()
        assert ((p > 0) & (p <= 1)).all()


def test_there_is_no_step_up_where_the_tail_begins(warm: Calibration) -> None:
    around = np.linspace(np.log(50) - 0.3, np.log(50) + 0.3, 20_001)
    p = warm.probability(around)
    assert (np.diff(p) <= 0).all()
    assert np.diff(np.log(p)).min() > -0.01


# The law of the score, its value at a tail probability, and how far (a factor) the told
# probability may be below and above the truth at 1e-4, 1e-5, 1e-6: 200,000 scores known.
LAWS = {
    "exponential": (lambda rng, n: rng.exponential(size=n), lambda q: -np.log(q), 3.0, 3.0),
    "pareto": (lambda rng, n: rng.pareto(3, n), lambda q: q ** (-1 / 3) - 1, 3.0, 3.0),
    # The Gaussian tail bends down more than a line of exponentials: told less rare, never more.
    "gaussian": (
        lambda rng, n: rng.normal(size=n),
        lambda q: np.array([3.719016485, 4.264890794, 4.753424309]),
        1.2,
        20.0,
    ),
}


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", range(3))
def test_the_tail_is_near_the_truth_far_beyond_what_was_seen(law: str, seed: int) -> None:
    draw, value, below, above = LAWS[law]
    truth = np.array([1e-4, 1e-5, 1e-6])
    told = learned(draw(np.random.default_rng(seed), 200_000)).probability(value(truth))
    assert (told > truth / below).all(), told
    assert (told < truth * above).all(), told


def test_beyond_all_seen_further_is_rarer(warm: Calibration) -> None:
    p = warm.probability(np.array([15.0, 20.0, 40.0, 80.0]))
    assert (np.diff(p) < 0).all()


def test_no_probability_is_ever_zero(warm: Calibration) -> None:
    p = warm.probability(np.array([1e3, 1e6, 1e300, np.inf]))
    assert (p > 0).all()


def test_without_a_reference_nothing_is_rare() -> None:
    p = Calibration(seed=0).probability(np.array([-1e300, 0.0, 1e300]))
    np.testing.assert_array_equal(p, 1.0)


def test_a_bounded_score_is_never_rarer_than_the_most_extreme_one_seen() -> None:
    raw = np.random.default_rng(3).random(20_000)
    bounded, free = (learned(raw, bounded=b) for b in (True, False))
    beyond = np.array([raw.max() + 1e-9, 2.0, 1e9])
    np.testing.assert_array_equal(bounded.probability(beyond), 1 / 20_001)
    assert free.probability(beyond)[-1] < 1 / 20_001


def test_a_tail_needs_a_hundred_exceedances() -> None:
    raw = np.random.default_rng(4).exponential(size=5_001)
    small, large = learned(raw[:4_900]), learned(raw)
    assert not small.warm
    assert large.warm
    assert small.probability(np.array([1e3]))[0] == 1 / 4_901
    assert large.probability(np.array([1e3]))[0] < 1e-9


@pytest.mark.parametrize("rare", [100, 110, 120, 400])
def test_equal_scores_in_the_tail_are_no_trouble(rare: int) -> None:
    raw = np.concatenate([np.zeros(50 * rare - rare), np.full(rare, 7.0)])
    p = learned(np.sort(raw)).probability(np.array([0.0, 6.9, 7.0, 7.1, 1e6]))
    assert p[0] == 1.0
    assert (np.diff(p) <= 0).all()
    assert np.isfinite(p).all()


@pytest.mark.parametrize("raw", [np.full(20_000, 3.0), np.repeat([0.0, 1.0], 10_000)])
def test_a_score_that_hardly_varies_is_no_trouble(raw: np.ndarray) -> None:
    p = learned(raw).probability(np.array([raw.min(), raw.max(), raw.max() + 1]))
    assert p[0] == 1.0
    assert p[1] == pytest.approx((raw == raw.max()).mean(), rel=1e-3)
    assert p[2] == 1 / 20_001


@quick
@given(cuts=st.lists(st.integers(0, 3_000), max_size=6))
def test_batches_do_not_matter_for_the_reference(cuts: list[int]) -> None:
    raw = np.random.default_rng(5).normal(size=3_000)
    whole, parts = (Calibration(seed=0, size=1_000, memory=2_000) for _ in range(2))
    whole.learn(raw)
    for part in np.split(raw, sorted(cuts)):
        parts.learn(part)
    np.testing.assert_array_equal(whole.sample.rows, parts.sample.rows)


def test_the_tail_is_fitted_anew_when_the_reference_grew_by_a_hundredth() -> None:
    calibration = learned(np.random.default_rng(6).exponential(size=10_000))
    at = np.array([0.1, 3.0, 12.0])
    before = calibration.probability(at)
    calibration.learn(np.full(99, 50.0))
    np.testing.assert_array_equal(calibration.probability(at), before)
    calibration.learn(np.full(1, 50.0))
    assert (calibration.probability(at) > before).all()


def test_asking_changes_nothing(warm: Calibration) -> None:
    before = {key: np.copy(value) for key, value in warm.state().items()}
    warm.probability(np.array([0.0, 5.0, 1e9]))
    after = warm.state()
    assert all(np.array_equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("bounded", [False, True])
def test_a_restored_calibration_goes_on_as_the_first(bounded: bool) -> None:
    rng = np.random.default_rng(7)
    first = learned(rng.exponential(size=9_000), bounded=bounded, size=6_000, memory=8_000)
    first.learn(rng.exponential(size=11))  # learned, but not arranged yet
    second = Calibration.from_state(first.state())
    at = np.concatenate([rng.exponential(size=100), [20.0, 1e6]])
    for _ in range(30):
        np.testing.assert_array_equal(first.probability(at), second.probability(at))
        more = rng.exponential(size=13)
        first.learn(more)
        second.learn(more)


def test_scores_that_repeat_each_other_say_little_about_the_tail() -> None:
    # Fifty numbers a value say no more about the tail than one would.
    values = np.random.default_rng(0).exponential(size=200)
    raw = np.repeat(values, 50) + np.random.default_rng(1).uniform(0, 1e-3, 10_000)
    alike, apart = (Calibration(seed=0, dependence=d) for d in (50.0, 1.0))
    for calibration in (alike, apart):
        calibration.learn(raw)
    shapes = [calibration._fit_tail()[1] for calibration in (alike, apart)]  # type: ignore[index]
    # Four numbers instead of two hundred: the prior of ten outweighs them.
    assert abs(shapes[0] - PRIOR_SHAPE) < 0.3 * abs(shapes[1] - PRIOR_SHAPE)
    within = np.array([0.2, 0.5, 0.9])
    np.testing.assert_array_equal(alike.probability(within), apart.probability(within))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_non_finite_score_is_refused_and_nothing_learned(bad: float) -> None:
    calibration = learned(np.arange(10.0))
    with pytest.raises(ValueError, match="expected finite"):
        calibration.learn(np.array([1.0, bad]))
    assert calibration.sample.seen == 10


@pytest.mark.parametrize(
    "change",
    [
        {"bounded": 1},
        {"seed": "0"},
        {"next": None},
        {"sorted": [1.0]},
        {"sorted": np.zeros((2, 2))},
        {"sorted": np.array([np.nan])},
        {"rows": np.full((10, 1), np.inf)},
        {"rows": np.zeros((9, 1))},
        {"seen": 11},
        {"dependence": None},
    ],
)
def test_a_state_that_is_none_is_refused(change: dict[str, object]) -> None:
    state = dict(learned(np.arange(10.0)).state())
    Calibration.from_state(state)
    with pytest.raises(StateError):
        Calibration.from_state(state | change)  # type: ignore[operator]
