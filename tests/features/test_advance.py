"""The walk of windows through the past, alone and in order."""

from __future__ import annotations

import numpy as np

from features.advance import advance, advance_alone


def test_alone_is_the_first_step_of_the_walk_and_leaves_the_past_as_it_was() -> None:
    rng = np.random.default_rng(0)
    width, ring = 3, 4
    ratio, shared = np.array([True, False, False]), np.array([True, True, False])
    past = (np.zeros((2, width, 3)), np.full((2, ring, width), np.nan), np.zeros(2, np.int64))
    population = (np.zeros((width, 3)), np.zeros(1, np.int64))
    told = [np.empty((40, width)) for _ in range(3)]
    entity = np.arange(40) % 2
    start = 1_000 * (1 + np.arange(40) // 2)
    values = rng.lognormal(size=(40, width))
    kept = (ratio, shared, 1_000.0, 1e6)
    advance(entity, start, values, *kept, *past, *population, *told)
    before = [part.copy() for part in (*past, *population)]
    new = rng.lognormal(size=(1, width))
    alone, walked = ([np.empty((1, width)) for _ in range(3)] for _ in range(2))
    number, at = np.array([1]), np.array([22_000])
    advance_alone(number, at, new, *kept, *past, *population, *alone)
    for part, was in zip((*past, *population), before, strict=True):
        np.testing.assert_array_equal(part, was)
    advance(number, at, new, *kept, *past, *population, *walked)
    for one, other in zip(alone, walked, strict=True):
        np.testing.assert_array_equal(one, other)
