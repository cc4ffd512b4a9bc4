"""Many rows at once are scored as each alone, which walks the masses step by step."""

from __future__ import annotations

import numpy as np
import pytest

from models.kernels.half_space import HalfSpaces
from models.kernels.leaf_sums import leaf_sums


def test_a_leaf_is_worth_what_the_way_to_it_collects() -> None:
    mass = np.array([[0, 10, 6, 4, 1, 5, 0, 4]], np.int32)
    # The right half is below the limit: what lies under it gives nothing.
    assert leaf_sums(mass, 5.0).tolist() == [[26.0, 42.0, 18.0, 18.0]]


@pytest.mark.parametrize("height", [1, 5, 8])
def test_many_rows_score_as_one_by_one(height: int) -> None:
    X = np.random.default_rng(0).beta(2.0, 5.0, size=(700, 4))
    spaces = HalfSpaces.grow(4, n_trees=7, height=height, window_size=90, seed=3)
    spaces.learn(X[:200])
    one_by_one = [spaces.score(X[i : i + 1])[0] for i in range(len(X))]
    np.testing.assert_array_equal(spaces.score(X), one_by_one)
