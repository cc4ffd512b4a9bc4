"""Looking at a row is what learning it would have given, and changes nothing."""

from __future__ import annotations

import numpy as np

from models.kernels.change import FALL, LEAST, MOST, RISE, WIDTH, follow, look

DELTA, THRESHOLD = 0.5, 1e6


def test_a_look_is_a_step_not_taken() -> None:
    rng = np.random.default_rng(0)
    X = 40.0 + rng.normal(size=(200, 2))
    key, at = rng.integers(0, 3, 200), np.arange(200.0)
    series = np.zeros((3, 2, WIDTH))
    follow(X[:-1], key[:-1], at[:-1], DELTA, THRESHOLD, 0.0, series)
    before = series.copy()
    risen, fallen, ends = np.empty((1, 2)), np.empty((1, 2)), np.empty((1, 2, 4))
    look(X[-1:], key[-1:], at[-1:], DELTA, THRESHOLD, 0.0, series, risen, fallen, ends)
    np.testing.assert_array_equal(series, before)
    follow(X[-1:], key[-1:], at[-1:], DELTA, THRESHOLD, 0.0, series)
    one = series[key[-1]]
    np.testing.assert_array_equal(risen[0], (one[:, RISE] - one[:, LEAST]) / THRESHOLD)
    np.testing.assert_array_equal(fallen[0], (one[:, MOST] - one[:, FALL]) / THRESHOLD)


def test_the_first_values_are_passed_over() -> None:
    late, whole = np.zeros((1, 1, WIDTH)), np.zeros((1, 1, WIDTH))
    X, key, at = np.arange(60.0)[:, None] + 1.0, np.zeros(60, np.int64), np.zeros(60)
    follow(X, key, at, DELTA, THRESHOLD, 20.0, late)
    follow(X[20:], key[20:], at[20:], DELTA, THRESHOLD, 0.0, whole)
    np.testing.assert_array_equal(late[0, 0, :-1], whole[0, 0, :-1])
