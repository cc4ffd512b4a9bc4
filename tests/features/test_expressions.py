"""Expressions that features share say what plain Python says."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.expressions import (
    amount_before,
    count_steps,
    entropy,
    entropy_step,
    first_in_window,
    firsts,
    run_total,
    share,
)

A, B, N = "a", "b", None


def test_a_share_of_nothing_is_not_known() -> None:
    counts = pl.DataFrame({"part": [1, 0, 0], "whole": [4, 4, 0]})
    found = counts.select(share(pl.col("part"), pl.col("whole")))["part"]
    assert found.to_list() == [0.25, 0.0, None]


def test_each_window_counts_from_its_beginning() -> None:
    rows = pl.DataFrame(
        {"window": [0, 0, 0, 0, 1, 1], "name": [A, N, A, B, A, A], "qty": [1.0, 2, 3, 4, 5, 6]},
        {"window": pl.UInt32, "name": pl.String, "qty": pl.Float64},
    ).with_columns(pl.col("name").cast(pl.Categorical).to_physical())
    name, window = pl.col("name"), pl.col("window")
    found = rows.select(
        first=firsts(name, window),
        before=amount_before(name, pl.col("qty"), window),
        run=run_total(pl.col("qty"), name.is_not_null(), window),
    )
    expected = pl.DataFrame(
        {
            "first": [True, False, False, True, True, False],
            "before": [-1.0, None, 1.0, -1.0, -1.0, 5.0],
            "run": [1.0, 0.0, 3.0, 7.0, 5.0, 11.0],
        }
    )
    assert_frame_equal(found, expected)


def test_nothing_before_is_known_where_no_value_is() -> None:
    rows = pl.DataFrame(
        {"name": [None, None], "qty": [1.0, 2.0], "window": [0, 0]},
        {"name": pl.UInt32, "qty": pl.Float64, "window": pl.UInt32},
    )
    found = rows.select(amount_before(*map(pl.col, ("name", "qty", "window"))))
    assert found["name"].to_list() == [None, None]


def test_entropy_is_in_bits_and_unknown_without_values() -> None:
    rows = pl.DataFrame(
        {"window": [0] * 4 + [1] * 2 + [2], "value": [0, 1, 2, 3, 5, 5, None]},
        {"window": pl.UInt32, "value": pl.UInt32},
    ).with_columns(step=entropy_step(pl.col("value"), pl.col("window")))
    found = rows.group_by("window", maintain_order=True).agg(
        bits=entropy(pl.col("step"), pl.col("value"))
    )
    assert found["bits"].to_list() == [pytest.approx(2.0), pytest.approx(0.0), None]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.booleans()), min_size=1, max_size=40)
)
@settings(max_examples=50)
def test_kernels_count_like_python(rows: list[tuple[bool, int, bool]]) -> None:
    known, value, opens = (np.array(column) for column in zip(*rows, strict=True))
    window = np.cumsum(opens).astype(np.uint32)
    value = value.astype(np.uint32)
    first = first_in_window(known, value, window)
    steps = count_steps(known, value, window)

    for number in np.unique(window):
        inside = window == number
        kept = value[inside & known]
        assert first[inside].sum() == len(set(kept.tolist()))
        counts = np.unique(kept, return_counts=True)[1]
        assert steps[inside].sum() == pytest.approx((counts * np.log(counts)).sum(), abs=1e-12)
