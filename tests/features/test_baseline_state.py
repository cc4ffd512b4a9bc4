"""What a baseline has learned, as arrays: whole, its own, and checked when it comes back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from features.baseline import Baseline
from features.trading import SYMBOL_1M, SYMBOL_5S

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def windows(count: int, first: int = 0) -> pl.DataFrame:
    """Made-up windows of two markets."""
    rng = np.random.default_rng(first)
    grid = [(s, NOON + (first + n) * SYMBOL_5S.every) for n in range(count) for s in ("A", "B")]
    return pl.DataFrame(
        {
            "entity": [s for s, _ in grid],
            "start": [at for _, at in grid],
            "end": [at + SYMBOL_5S.every for _, at in grid],
            **{name: rng.lognormal(size=len(grid)) for name in SYMBOL_5S.names},
        },
        schema=dict(SYMBOL_5S.schema),
    )


def taught(count: int = 5) -> Baseline:
    baseline = Baseline(SYMBOL_5S)
    baseline.update(windows(count))
    return baseline


def test_no_windows_change_nothing() -> None:
    baseline = taught()
    before = baseline.state()
    assert baseline.update(windows(0)).z.shape == (0, len(SYMBOL_5S.names))
    after = baseline.state()
    for part in before:
        np.testing.assert_array_equal(before[part], after[part])


def test_a_state_shares_no_memory_with_its_baselines() -> None:
    baseline = taught()
    state = baseline.state()
    copies = {part: values.copy() for part, values in state.items()}
    baseline.update(windows(5, first=5))
    Baseline.from_state(SYMBOL_5S, state).update(windows(5, first=5))
    for part in state:
        np.testing.assert_array_equal(state[part], copies[part])


def test_a_cold_baseline_has_a_state_too() -> None:
    cold = Baseline.from_state(SYMBOL_5S, Baseline(SYMBOL_5S).state())
    np.testing.assert_array_equal(cold.update(windows(5)).z, taught(0).update(windows(5)).z)


@pytest.mark.parametrize("part", ["past", "ring", "at", "population", "population_at"])
@pytest.mark.parametrize("change", ["fewer", "more", "wider"])
def test_a_part_of_another_shape_is_refused_by_name(part: str, change: str) -> None:
    state = taught().state()
    values = state[part]
    changed = {
        "fewer": values[:-1],
        "more": np.concatenate([values, values]),
        "wider": np.stack([values, values], axis=-1),
    }
    with pytest.raises(ValueError, match=f"{SYMBOL_5S.name}: state '{part}' has shape .*expected"):
        Baseline.from_state(SYMBOL_5S, state | {part: changed[change]})


@pytest.mark.parametrize("names", [["A"], ["A", "B", "C"], ["A", "A"]])
def test_another_number_of_entities_is_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Baseline.from_state(SYMBOL_5S, taught().state() | {"entities": np.array(names)})


def test_the_state_of_a_view_with_another_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="'ring' has shape"):
        Baseline.from_state(SYMBOL_1M, taught().state())
