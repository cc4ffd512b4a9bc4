"""The expected range equals what River's statistics and a line of plain Python say."""

from __future__ import annotations

import numpy as np
from river import stats

from models.kernels.bands import LARGEST_TERM, PRIOR_VISITS, beyond, expect, learn


def test_a_slot_moves_mean_and_variance_by_its_visits() -> None:
    rng = np.random.default_rng(0)
    slot = np.column_stack([np.zeros(300), 1 + np.arange(300) // 10 % 3]).astype(np.int64)
    X = rng.normal(size=(300, 1)) * slot[:, 1:] + 5.0 * slot[:, 1:]
    moments, visits, last = np.zeros((4, 1, 3)), np.zeros(4, np.int64), np.full(2, -1, np.int64)
    learn(X, slot, moments, visits, last)
    assert visits.tolist() == [1, 10, 10, 10]
    every, own = stats.Var(), stats.Var()
    for x, at in zip(X[:, 0].tolist(), slot[:, 1].tolist(), strict=True):
        every.update(x)
        if at == 3:
            own.update(x)
    centre, width = np.empty((1, 1)), np.empty((1, 1))
    expect(np.array([[0, 3]]), moments, visits, 3.0, 1.0, centre, width)
    known = 9 / (9 + PRIOR_VISITS)
    mean = every.mean.get() + known * (own.mean.get() - every.mean.get())
    variance = every.get() + known * (own.get() - every.get())
    assert centre[0, 0] == mean
    assert width[0, 0] == 3.0 * np.sqrt(variance)


def test_a_visit_ends_when_another_slot_comes() -> None:
    moments, visits, last = np.zeros((3, 1, 3)), np.zeros(3, np.int64), np.full(2, -1, np.int64)
    for at in ([1, 1], [1, 2], [2, 2], [1, 1]):
        slot = np.array([[0, a] for a in at], np.int64)
        learn(np.ones((2, 1)), slot, moments, visits, last)
    assert visits.tolist() == [1, 2, 1]


def test_what_is_outside_is_counted_on_its_side_of_concern_in_half_widths() -> None:
    X = np.array([[5.0, 5.0, 5.0], [-7.0, -7.0, -7.0], [0.0, 1.5, 1e300]])
    centre, width, terms = np.ones((3, 3)), np.full((3, 3), 2.0), np.full((3, 3), 9.0)
    beyond(X, centre, width, np.array([0, 1, -1]), terms)
    # 2 and 4 half-widths from the centre; a value of 0 says nothing.
    assert terms.tolist() == [[1.0, 1.0, 0.0], [3.0, 0.0, 3.0], [0.0, 0.0, 0.0]]
    beyond(X[2:], centre[2:] + 1e-3, width[2:], np.array([0, 0, 0]), terms[2:])
    assert terms[2].tolist() == [0.0, 0.0, LARGEST_TERM]
