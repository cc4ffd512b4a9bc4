"""Rows without a time are scored by what is normal, and an attack does not become it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import pipeline.evaluation.series
from models.detector import Matrix, Vector
from models.range_metrics import average_precision
from pipeline.evaluation.series import score_rows


def noise(n: int, d: int = 2, *, seed: int = 0) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, d))


def burst(seed: int) -> Matrix:
    """5,000 clean rows and then 600 of one attack, close to each other and far from the rest."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=6)
    centre *= 8 / np.linalg.norm(centre)
    return np.vstack([rng.normal(size=(5_000, 6)), centre + 0.3 * rng.normal(size=(600, 6))])


def caught(seed: int) -> list[float]:
    """The flagged share of the first 50, the middle and the last 50 rows of the burst."""
    score, _ = score_rows(burst(seed), ordered=True, seed=seed)
    clean, attack = score[64:5_000], score[5_000:]
    flagged = attack > np.quantile(clean, 0.995)
    return [flagged[:50].mean(), flagged[50:-50].mean(), flagged[-50:].mean()]


@pytest.mark.parametrize("seed", range(5))
def test_a_packed_attack_stays_flagged_to_its_end(seed: int) -> None:
    assert min(caught(seed)) >= 0.95


@pytest.mark.parametrize("seed", range(5))
def test_learning_all_would_lose_the_attack(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.evaluation.series, "LEAK", 1.0)
    first, _, last = caught(seed)
    assert first >= 0.95
    assert last <= 0.05


def test_a_kind_of_row_that_comes_to_stay_leaks_in() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12_000, 3))
    new = (np.arange(12_000) > 1_000) & (rng.random(12_000) < 0.9)
    X[new] += 12
    score = score_rows(X, ordered=True, seed=0)[0][new]
    assert score[-500:].mean() < score[:500].mean() / 5


@pytest.mark.parametrize("at", [64, 200, 256, 1_000, 1_999])
def test_an_arrival_is_scored_without_those_after_it(at: int) -> None:
    X = noise(2_000)
    score, p = score_rows(X, ordered=True, seed=0)
    X[at:] = noise(2_000 - at, seed=1) * 50
    changed, changed_p = score_rows(X, ordered=True, seed=0)
    np.testing.assert_array_equal(changed[:at], score[:at])
    np.testing.assert_array_equal(changed_p[:at], p[:at])
    assert (changed[at:] != score[at:]).all()


def outliers(seed: int) -> tuple[Matrix, NDArray[np.bool_]]:
    """2,000 rows of two kinds, one in twenty of them moved in half of its columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2_000, 8)) + 3 * rng.integers(0, 2, (2_000, 1))
    moved = rng.permutation(2_000) < 100
    X[moved] += 8 * rng.choice([-1, 0, 0, 1], size=(100, 8))
    return X, moved


@pytest.mark.parametrize("seed", range(4))
def test_without_an_order_planted_outliers_are_found(seed: int) -> None:
    X, moved = outliers(seed)
    score, p = score_rows(X, ordered=False, seed=seed)
    assert average_precision(moved, score) >= 0.95
    assert average_precision(moved, -p) >= 0.9


@pytest.mark.parametrize("seed", range(4))
def test_without_an_order_a_packed_attack_is_not_taken_for_normal(seed: int) -> None:
    X = noise(2_000, 8, seed=seed)
    attack = np.random.default_rng(seed).permutation(2_000) < 100
    X[attack] = 6 + 0.05 * X[attack]
    score, _ = score_rows(X, ordered=False, seed=seed)
    assert average_precision(attack, score) == 1.0


@pytest.mark.parametrize("seed", range(4))
def test_outliers_are_found_as_they_arrive(seed: int) -> None:
    X, moved = outliers(seed)
    score, _ = score_rows(X, ordered=True, seed=seed)
    assert average_precision(moved[64:], score[64:]) >= 0.9


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("n", [1, 2, 63, 64, 65, 700])
def test_every_row_has_a_score_and_a_probability(n: int, ordered: bool) -> None:
    X = noise(n, 2)
    X[:, 1] = 1.0
    score, p = score_rows(X, ordered=ordered, seed=0)
    assert score.shape == p.shape == (n,)
    assert np.isfinite(score).all()
    assert ((p > 0) & (p <= 1)).all()


@pytest.mark.parametrize("ordered", [False, True])
def test_the_same_seed_gives_the_same_scores(ordered: bool) -> None:
    X = noise(2_500)
    given = X.copy()
    both: list[tuple[Vector, Vector]] = [
        score_rows(X, ordered=ordered, seed=seed) for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(both[0], both[1])
    assert not np.array_equal(both[0][0], both[2][0])
    np.testing.assert_array_equal(X, given)
