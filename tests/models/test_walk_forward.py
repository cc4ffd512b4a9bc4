"""Budgets are judged by thresholds that only the past has set, and never passed on too little."""

from __future__ import annotations

import numpy as np
import pytest

from models.walk_forward import LEAST_EXPECTED, Scores, judge, walk

ENTITIES, A_DAY = 5, 288
SPACING = 86_400 / A_DAY


def lived(days: int, seed: int, *, drift: float = 1.0) -> Scores:
    """Windows of 5 minutes; in the second half rare ones come ``drift`` times as often."""
    rng = np.random.default_rng(seed)
    n = days * A_DAY
    p = rng.random((ENTITIES, n))
    p[:, n // 2 :] /= drift
    return Scores(
        np.repeat(np.arange(ENTITIES), n),
        np.tile(SPACING * np.arange(1, n + 1), ENTITIES),
        p.ravel() * ENTITIES * A_DAY,
        np.ones(ENTITIES * n, bool),
        np.full(ENTITIES * n, 1 / (ENTITIES * A_DAY)),
    )


@pytest.mark.parametrize("budget", [1.0, 3.0, 10.0, 30.0])
def test_calibrated_scores_keep_their_budgets(budget: float) -> None:
    scores = lived(100, 0)
    kept = judge(scores, walk(scores, [budget])[0], seed=0)
    assert kept.state == "kept"
    assert kept.low <= kept.ratio <= kept.high
    assert kept.expected == pytest.approx(90 * budget, rel=0.02)


def test_a_drift_is_paid_back() -> None:
    scores = lived(100, 1, drift=3.0)
    kept = judge(scores, walk(scores, [10.0])[0], seed=0)
    assert kept.state == "kept"
    # The thresholds of before the drift would have let three times as many through.
    fixed = np.flatnonzero(scores.per_day <= 10.0)
    late = scores.end[fixed] > 50 * 86_400
    assert late.sum() > 2.5 * 10.0 * 50


def test_what_comes_later_changes_no_alert() -> None:
    scores = lived(40, 2)
    rng = np.random.default_rng(3)
    until = 20 * 86_400.0
    later = np.flatnonzero(scores.end > until)
    rate = scores.per_day.copy()
    rate[later] = rng.permutation(rate[later]) / 100
    other = Scores(scores.entity, scores.end, rate, scores.normal, scores.days)
    before = scores.end <= until
    for one, two in zip(walk(scores, [1.0, 10.0]), walk(other, [1.0, 10.0]), strict=True):
        np.testing.assert_array_equal(one.alerting[before], two.alerting[before])
        assert (one.alerting[~before] != two.alerting[~before]).any()


def test_windows_in_any_order_give_the_same() -> None:
    scores = lived(20, 4)
    order = np.random.default_rng(5).permutation(len(scores.end))
    (told,) = walk(scores, [3.0])
    parts = (scores.entity, scores.end, scores.per_day, scores.normal, scores.days)
    mixed = Scores(*(part[order] for part in parts))
    (again,) = walk(mixed, [3.0])
    np.testing.assert_array_equal(told.alerting[order], again.alerting)
    assert judge(scores, told, seed=0) == judge(mixed, again, seed=0)


def test_known_incidents_neither_set_thresholds_nor_count() -> None:
    scores = lived(50, 6)
    incident = (scores.entity == 2) & (scores.end > 86_400 * 10) & (scores.end < 86_400 * 12)
    rate = np.where(incident, 1e-6, scores.per_day)
    known = Scores(scores.entity, scores.end, rate, ~incident, scores.days)
    (told,) = walk(known, [3.0])
    assert told.alerting[incident].all()
    (calm,) = walk(Scores(scores.entity, scores.end, scores.per_day, ~incident, scores.days), [3.0])
    np.testing.assert_array_equal(told.alerting[~incident], calm.alerting[~incident])
    assert judge(known, told, seed=0).ratio < 1.3


def test_too_few_to_be_expected_are_never_passed() -> None:
    scores = lived(20, 7)
    kept = judge(scores, walk(scores, [1.0])[0], seed=0)
    assert kept.expected < LEAST_EXPECTED
    assert kept.state == "not measurable"
    assert kept.why == f"{kept.expected:.3g} expected"


def test_what_no_threshold_raises_is_no_miss_but_is_not_kept_either() -> None:
    scores = lived(50, 8)
    kept = judge(scores, walk(scores, [5_000.0])[0], seed=0)
    assert kept.state == "not measurable"
    assert kept.why.startswith("no threshold raises more than")


def test_a_miss_that_is_certain_is_told_however_few_were_expected() -> None:
    scores = lived(20, 9)
    (told,) = walk(scores, [1.0])
    all_day = scores.normal & told.judged & (scores.end % 3_600 == 0)
    noisy = type(told)(told.asked, told.judged, all_day, told.most)
    kept = judge(scores, noisy, seed=0)
    assert kept.expected < LEAST_EXPECTED
    assert (kept.state, kept.why) == ("missed", "")
    assert kept.low > 1.3


def test_windows_in_clusters_count_by_their_clusters() -> None:
    scores = lived(100, 10)
    # Each window alerts or not for a whole day of its entity.
    day = (scores.end // 86_400).astype(np.int64)
    rate = np.random.default_rng(11).random((ENTITIES, 101))[scores.entity, day] * ENTITIES * A_DAY
    calm = Scores(scores.entity, scores.end, rate, scores.normal, scores.days)
    kept = judge(calm, walk(calm, [10.0], apart=0.0)[0], seed=0, apart=0.0)
    assert kept.expected > 10 * LEAST_EXPECTED
    assert kept.state == "not measurable"
    assert kept.high - kept.low > 1.0


def test_without_normal_life_nothing_is_judged() -> None:
    scores = lived(1, 12)
    none = Scores(scores.entity, scores.end, scores.per_day, ~scores.normal, scores.days)
    (told,) = walk(none, [1.0])
    assert not told.alerting.any()
    kept = judge(none, told, seed=0)
    assert (kept.state, kept.expected) == ("not measurable", 0.0)
