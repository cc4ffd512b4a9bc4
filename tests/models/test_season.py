"""What the season and the last block foretell is taken off, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from models.season import carried, deseasoned, known_mean

SEASON, SEASONS = 24, 200


def autoregressive(kept: float, n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 3))
    for i in range(1, n):
        noise[i] += kept * noise[i - 1]
    return noise


def test_a_pure_season_leaves_nothing() -> None:
    slot = np.arange(5 * SEASON) % SEASON
    values = np.column_stack([np.sin(slot), 7.0 + slot])
    profile, level = deseasoned(values, slot, SEASON)
    assert np.allclose(profile, values[:SEASON])
    assert np.abs(level).max() < 1e-12


def test_the_spread_left_is_that_of_values_not_in_the_profile() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3 * SEASON * SEASONS, 1))
    slot = np.arange(len(values)) % (SEASON * SEASONS)
    profile, level = deseasoned(values, slot, SEASON * SEASONS)
    new = rng.normal(size=profile.shape) - profile
    assert level.std() == pytest.approx(np.sqrt(3 / 2), rel=0.02)
    assert new.std() == pytest.approx(np.sqrt(4 / 3), rel=0.02)


def test_what_is_unknown_stays_unknown_and_spoils_nothing() -> None:
    slot = np.array([0, 1, 0, 1, 0])
    values = np.array([[1.0], [np.nan], [np.nan], [np.nan], [3.0]])
    profile, level = deseasoned(values, slot, 2)
    assert profile[0, 0] == 2.0
    assert np.isnan(profile[1, 0])
    assert np.isnan(level[:, 0]).tolist() == [False, True, True, True, False]
    assert known_mean(values)[0] == 2.0


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_the_memory_is_at_least_what_it_is(kept: float) -> None:
    n = 400
    found = np.array([carried(np.arange(n), autoregressive(kept, n, s)) for s in range(30)])
    assert (found >= kept).mean() > 0.9
    assert found.mean() < kept + 0.2
    assert found.max() <= 0.98


def test_blocks_that_are_not_neighbours_tell_nothing_of_memory() -> None:
    level = autoregressive(0.9, 300, 0)
    assert (carried(np.arange(300), level) > 0.8).all()
    # Every second one is another's: neighbours by place, not by number.
    apart = carried(2 * np.arange(300), level)
    assert np.array_equal(apart, carried(3 * np.arange(300), level))
    assert carried(np.arange(1), level[:1]).tolist() == [0.0, 0.0, 0.0]
