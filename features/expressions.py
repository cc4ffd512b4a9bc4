"""Expressions that features of several streams are made of.

Those that take a window read what its other rows hold, in one pass over the total order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import numpy as np
import polars as pl
from numba import boolean, float64, int64, uint32
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["amount_before", "entropy", "entropy_step", "firsts", "run_total", "share"]


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """One count over another; null where there is nothing to share."""
    return pl.when(whole > 0).then(part / whole)


def firsts(value: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Whether the value comes for the first time in its window; False for null."""
    return _by_value(first_in_window, value, window, pl.Boolean)


def entropy_step(value: pl.Expr, window: pl.Expr) -> pl.Expr:
    """By how much the row raises its window's sum of c ln c over counts c of values."""
    return _by_value(count_steps, value, window, pl.Float64)


def entropy(step: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Shannon entropy in bits of a window's values, given their steps; null without a value."""
    n = value.count()
    nats = pl.when(n > 0).then(n.log() - step.sum() / n)
    return nats.clip(lower_bound=0.0) / log(2)


def amount_before(value: pl.Expr, amount: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Sum of amounts of earlier rows with the value in the window.

    -1 for the first of them; null for a null value.
    """

    def run(columns: Sequence[pl.Series]) -> pl.Series:
        value, amount, window = columns
        if value.null_count() == len(value):
            return pl.repeat(None, len(value), dtype=pl.Float64, eager=True)
        unknown = value.is_null()
        before = sum_before(
            value.fill_null(0).to_numpy(), unknown.to_numpy(), amount.to_numpy(), window.to_numpy()
        )
        return pl.Series(before).set(unknown, None)

    return pl.map_batches([value, amount, window.cast(pl.Int64)], run, return_dtype=pl.Float64)


def run_total(value: pl.Expr, runs: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Sum of values of an unbroken run of true rows in the window, up to the row; else 0.

    Null where it is not known whether the row runs.
    """
    totals = pl.map_batches(
        [value.fill_null(0.0), runs.fill_null(False), window.cast(pl.Int64)],
        lambda s: pl.Series(run_totals(*(x.to_numpy() for x in s))),
        return_dtype=pl.Float64,
    )
    return pl.when(runs.is_not_null()).then(totals)


def _by_value(
    run: Callable[..., NDArray[np.generic]],
    value: pl.Expr,
    window: pl.Expr,
    dtype: type[pl.DataType],
) -> pl.Expr:
    return pl.map_batches(
        [value.is_not_null(), value.fill_null(0), window],
        lambda s: pl.Series(run(*(x.to_numpy() for x in s))),
        return_dtype=dtype,
    )


@kernel(boolean[::1](read(boolean), read(uint32), read(uint32)))
def first_in_window(
    known: NDArray[np.bool_], value: NDArray[np.uint32], window: NDArray[np.uint32]
) -> NDArray[np.bool_]:
    """Whether each row is the first of its window to hold its value, shape (n,).

    Parameters
    ----------
    known, value : ndarray of shape (n,)
        Whether the row has a value, and its code.
    window : ndarray of shape (n,)
        Number of the row's window; the rows of a window stand together.

    Source: ours.
    """
    last = np.full(np.int64(value.max()) + 1, -1, np.int64)
    first = np.zeros(value.size, np.bool_)
    for i in range(value.size):
        if known[i]:
            first[i] = last[value[i]] != window[i]
            last[value[i]] = window[i]
    return first


@kernel(float64[::1](read(boolean), read(uint32), read(uint32)))
def count_steps(
    known: NDArray[np.bool_], value: NDArray[np.uint32], window: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Steps whose sum over a window is the sum of c ln c over the counts c of its values.

    Parameters and shapes as for `first_in_window`. Source: ours.
    """
    last = np.full(np.int64(value.max()) + 1, -1, np.int64)
    counts = np.zeros(np.int64(value.max()) + 1, np.float64)
    steps = np.zeros(value.size)
    for i in range(value.size):
        if not known[i]:
            continue
        v = value[i]
        if last[v] != window[i]:
            last[v] = window[i]
            counts[v] = 0.0
        c = counts[v]
        steps[i] = (c + 1.0) * np.log(c + 1.0) - (c * np.log(c) if c > 0.0 else 0.0)
        counts[v] = c + 1.0
    return steps


@kernel(float64[::1](read(uint32), read(boolean), read(float64), read(int64)))
def sum_before(
    value: NDArray[np.uint32],
    unknown: NDArray[np.bool_],
    amount: NDArray[np.float64],
    window: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Sum of a value's earlier amounts in the same window, shape (n,); -1 for its first."""
    values = np.int64(value.max()) + 1
    seen = np.full(values, -1, np.int64)
    total = np.zeros(values, np.float64)
    before = np.empty(value.size, np.float64)
    for i in range(value.size):
        if unknown[i]:
            continue
        a = value[i]
        if seen[a] != window[i]:
            seen[a] = window[i]
            total[a] = 0.0
            before[i] = -1.0
        else:
            before[i] = total[a]
        total[a] += amount[i]
    return before


@kernel(float64[::1](read(float64), read(boolean), read(int64)))
def run_totals(
    value: NDArray[np.float64], runs: NDArray[np.bool_], window: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sum of the values of an unbroken run of true rows in one window, up to each row; else 0."""
    totals = np.zeros(value.size)
    for i in range(value.size):
        if runs[i]:
            goes_on = i > 0 and window[i] == window[i - 1]
            totals[i] = value[i] + (totals[i - 1] if goes_on else 0.0)
    return totals
