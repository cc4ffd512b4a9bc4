"""A sample is fair, bounded, and blind to how rows came in batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.detector import StateError
from models.sample import Sample, places


def numbered(count: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.float64)[:, None]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    cuts=st.lists(st.integers(0, 300), max_size=8),
    size=st.integers(1, 60),
    memory=st.sampled_from([60, 100, 10_000]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_do_not_matter(cuts: list[int], size: int, memory: int, seed: int) -> None:
    X = np.column_stack([np.arange(300.0), -np.arange(300.0)])
    whole, parts = (Sample(size, 2, seed=seed, memory=memory) for _ in range(2))
    whole.add(X)
    for part in np.split(X, sorted(cuts)):
        parts.add(part)
    np.testing.assert_array_equal(whole.rows, parts.rows)
    assert whole.seen == parts.seen == 300


def test_all_rows_are_kept_while_there_is_room() -> None:
    sample = Sample(50, 1, seed=0, memory=50)
    sample.add(numbered(50))
    np.testing.assert_array_equal(sample.rows, numbered(50))


def test_every_row_is_as_likely_to_be_kept() -> None:
    # 400 samples of 20 out of 200 rows: each row is expected 40 times. Chi-square with 199
    # degrees of freedom has mean 199 and deviation 20; five deviations are allowed.
    kept = np.zeros(200)
    for seed in range(400):
        sample = Sample(20, 1, seed=seed, memory=1000)
        sample.add(numbered(200))
        np.add.at(kept, sample.rows[:, 0].astype(int), 1)
    assert kept.sum() == 400 * 20
    assert ((kept - 40) ** 2 / (40 * 0.9)).sum() < 299


def test_early_and_late_rows_are_kept_alike_in_one_long_sample() -> None:
    sample = Sample(2_000, 1, seed=5, memory=1_000_000)
    sample.add(numbered(100_000))
    by_tenth = np.bincount((sample.rows[:, 0] // 10_000).astype(int), minlength=10)
    assert ((by_tenth - 200) ** 2 / 200).sum() < 28  # chi-square, 9 degrees: one in a thousand


def test_a_row_fades_to_one_in_e_after_as_many_rows_as_the_memory() -> None:
    sample = Sample(2_000, 1, seed=1, memory=20_000)
    sample.add(numbered(20_000))
    before = set(sample.rows[:, 0])
    sample.add(numbered(20_000, first=20_000))
    left = sum(row in before for row in sample.rows[:, 0]) / 2_000
    assert left == pytest.approx(np.exp(-1), abs=0.04)


def test_another_seed_keeps_other_rows() -> None:
    first, second = (Sample(20, 1, seed=seed, memory=1000) for seed in (0, 1))
    for sample in (first, second):
        sample.add(numbered(1000))
    assert set(first.rows[:, 0]) != set(second.rows[:, 0])


def test_the_sample_shares_no_memory_with_what_was_added() -> None:
    X = numbered(10)
    sample = Sample(10, 1, seed=0, memory=10)
    sample.add(X)
    X[:] = -1
    np.testing.assert_array_equal(sample.rows, numbered(10))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seen=st.integers(0, 2**40), memory=st.integers(1, 2**40), seed=st.integers(0, 2**32 - 1))
def test_a_place_lies_below_the_row_number_and_the_memory(
    seen: int, memory: int, seed: int
) -> None:
    found = places(seen, 20, memory, seed)
    limit = np.minimum(seen + 1 + np.arange(20), memory)
    assert (found >= 0).all()
    assert (found < limit).all()


def test_a_restored_sample_goes_on_as_the_first() -> None:
    first, second = (Sample(30, 1, seed=9, memory=100) for _ in range(2))
    first.add(numbered(250))
    second.restore({"rows": first.rows.copy(), "seen": first.seen})
    for sample in (first, second):
        sample.add(numbered(250, first=250))
    np.testing.assert_array_equal(first.rows, second.rows)


@pytest.mark.parametrize(
    "state",
    [
        {"seen": 3},
        {"rows": np.zeros((3, 1))},
        {"rows": np.zeros((2, 1)), "seen": 3},
        {"rows": np.zeros((3, 2)), "seen": 3},
        {"rows": np.zeros((5, 1)), "seen": 9},
        {"rows": np.zeros((3, 1), np.float32), "seen": 3},
        {"rows": np.zeros((0, 1)), "seen": -1},
    ],
)
def test_a_state_of_another_shape_is_refused_and_changes_nothing(state: dict[str, object]) -> None:
    sample = Sample(4, 1, seed=0, memory=10)
    with pytest.raises(StateError):
        sample.restore(state)  # type: ignore[arg-type]
    assert (sample.seen, len(sample.rows)) == (0, 0)


@pytest.mark.parametrize(("size", "memory"), [(0, 10), (11, 10), (-1, 1)])
def test_a_sample_larger_than_its_memory_is_refused(size: int, memory: int) -> None:
    with pytest.raises(ValueError, match="expected 1 <= size <= memory"):
        Sample(size, 1, seed=0, memory=memory)
