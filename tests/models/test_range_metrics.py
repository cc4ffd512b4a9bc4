"""Our metrics are scikit-learn's, or the loop that their definition is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

import models.range_metrics
from models.detector import Vector
from models.range_metrics import average_precision, vus_pr

Judged = tuple[NDArray[np.bool_], Vector]


@st.composite
def judged(draw: st.DrawFn, most: int = 400) -> Judged:
    """Stretches of anomalies, some at the ends, and scores with and without ties."""
    n = draw(st.integers(2, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    anomalous = np.zeros(n, bool)
    for _ in range(draw(st.integers(1, 5))):
        begin = int(rng.integers(0, n))
        anomalous[begin : begin + int(rng.integers(1, 30))] = True
    score = rng.normal(size=n) + draw(st.sampled_from([0.0, 1.0, 4.0])) * anomalous
    return anomalous, score.round(draw(st.sampled_from([0, 1, 12])))


@settings(max_examples=100, deadline=None)
@given(judged())
def test_average_precision_equals_that_of_scikit_learn(data: Judged) -> None:
    anomalous, score = data
    expected = average_precision_score(anomalous, score)
    assert average_precision(anomalous, score) == pytest.approx(expected, abs=1e-12)


def test_equal_scores_have_the_prevalence_for_precision() -> None:
    anomalous = np.arange(40) % 8 == 7
    assert average_precision(anomalous, np.zeros(40)) == pytest.approx(1 / 8)
    assert average_precision(anomalous, anomalous.astype(float)) == 1.0


def stretches(anomalous: NDArray[np.bool_]) -> list[tuple[int, int]]:
    found, begin = [], None
    for i, is_so in enumerate([*anomalous, False]):
        if is_so and begin is None:
            begin = i
        if not is_so and begin is not None:
            found.append((begin, i))
            begin = None
    return found


def literal_vus_pr(anomalous: NDArray[np.bool_], score: Vector) -> float:
    """The definition, sample by sample and threshold by threshold."""
    n, areas = len(score), []
    ranked = sorted(score, reverse=True)
    thresholds = [ranked[int(rank)] for rank in np.linspace(0, n - 1, 250)]
    for buffer in range(0, 101, 10):
        half = buffer // 2
        label = [1.0 if is_so else 0.0 for is_so in anomalous]
        for begin, end in stretches(anomalous):
            for i in range(max(0, begin - half), min(n, end + half)):
                distance = max(begin - i, i - (end - 1), 0)
                label[i] = max(label[i], (1 - distance / max(buffer, 1)) ** 0.5)
        fading = np.array(label)
        possible = (anomalous.sum() + fading.sum()) / 2
        area, before = 0.0, 0.0
        for threshold in thresholds:
            flagged = score >= threshold
            seen = [
                flagged[max(0, begin - half) : end + half].any()
                for begin, end in stretches(anomalous)
            ]
            found = fading[flagged].sum()
            recall = min(found / possible, 1.0) * np.mean(seen)
            area += (recall - before) * found / flagged.sum()
            before = recall
        areas.append(area)
    return float(np.mean(areas))


@settings(max_examples=25, deadline=None)
@given(judged())
def test_the_volume_equals_the_loop_of_its_definition(data: Judged) -> None:
    assert vus_pr(*data) == pytest.approx(literal_vus_pr(*data), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(judged())
def test_only_the_order_of_scores_counts(data: Judged) -> None:
    anomalous, score = data
    _, ranks = np.unique(score, return_inverse=True)
    for other in (ranks.astype(float), 1e-6 * ranks - 1e3, np.exp2(ranks / 8)):
        assert vus_pr(anomalous, other) == vus_pr(anomalous, score)
        assert average_precision(anomalous, other) == average_precision(anomalous, score)


@pytest.fixture
def day() -> NDArray[np.bool_]:
    """10,000 samples with three stretches of 300."""
    anomalous = np.zeros(10_000, bool)
    for begin in (1_000, 4_000, 8_000):
        anomalous[begin : begin + 300] = True
    return anomalous


def test_perfect_scores_come_near_one(day: NDArray[np.bool_]) -> None:
    # Highest within, and falling off on both sides: no order fits the fading labels better.
    at = np.arange(len(day))
    away = np.min([np.abs(at - i) for b, e in stretches(day) for i in (b, e - 1)], axis=0)
    perfect = np.where(day, 1.0, -away)
    assert 0.95 < vus_pr(day, perfect) <= 1.0
    assert 0.9 < vus_pr(day, day.astype(float)) < vus_pr(day, perfect)


def test_scores_by_chance_have_the_prevalence(day: NDArray[np.bool_]) -> None:
    # Buffers of 0 to 100 lengthen the labels by 0 to 30 %.
    for seed in range(3):
        chance = vus_pr(day, np.random.default_rng(seed).random(len(day)))
        assert 0.85 * day.mean() < chance < 1.3 * day.mean()


@pytest.mark.parametrize("begin", [1_000 - 42, 1_300 + 2])
def test_a_detection_just_beside_a_stretch_is_forgiven_by_the_buffers_alone(
    day: NDArray[np.bool_], begin: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = np.zeros(len(day)), np.zeros(len(day))
    near[begin : begin + 40], far[2_500:2_540] = 1.0, 1.0
    assert vus_pr(day, near) > 1.03 * vus_pr(day, far)
    assert average_precision(day, near) == average_precision(day, far)
    monkeypatch.setattr(models.range_metrics, "LONGEST_BUFFER", 0)
    assert vus_pr(day, near) == vus_pr(day, far)


def test_without_a_buffer_one_stretch_gives_the_average_precision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models.range_metrics, "LONGEST_BUFFER", 0)
    anomalous = np.zeros(250, bool)
    anomalous[100:140] = True
    for seed in range(5):
        score = np.random.default_rng(seed).normal(size=250) + anomalous
        expected = average_precision(anomalous, score)
        assert vus_pr(anomalous, score) == pytest.approx(expected, abs=1e-12)


def test_without_a_buffer_a_stretch_never_seen_halves_the_recall(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(models.range_metrics, "LONGEST_BUFFER", 0)
    found = vus_pr(np.array([True, False, True]), np.array([3.0, 2.0, 1.0]))
    # First half of the labels in half of the stretches, precision 1; then all, precision 2/3.
    assert found == pytest.approx(1 / 4 * 1 + 3 / 4 * 2 / 3)


def test_each_stretch_seen_a_little_beats_one_seen_long(day: NDArray[np.bool_]) -> None:
    one, each = np.zeros(len(day)), np.zeros(len(day))
    one[1_100:1_160] = 1.0
    for begin in (1_100, 4_100, 8_100):
        each[begin : begin + 20] = 1.0
    assert average_precision(day, one) == average_precision(day, each)
    assert vus_pr(day, each) > 1.2 * vus_pr(day, one)
