"""What an entity has not shown before: a memory of the values it lately had.

The memory is bounded in number and in time and follows the stream's total order. A view names the
columns it remembers; the `Windower` then keeps the events that hold the entity's latest values,
so that history and live stream know the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from numba import boolean, int64, uint32
from numpy.typing import NDArray

from features.jit import kernel, read

__all__ = ["REMEMBERED", "REMEMBERED_FOR", "is_new", "latest_values", "new_values"]

REMEMBERED = 64
"""How many values of a column an entity's memory holds; the one used longest ago goes first."""
REMEMBERED_FOR = timedelta(days=30)
"""How long a value is known after the window in which it was last seen."""


def latest_values(events: pl.DataFrame, entity: tuple[str, ...], column: str) -> pl.Series:
    """Which events hold one of the entity's `REMEMBERED` latest values, each value's last only.

    Parameters
    ----------
    events : polars.DataFrame
        In total order.
    """
    last = pl.struct(*entity, column).is_last_distinct() & pl.col(column).is_not_null()
    newer = last.cast(pl.UInt32).cum_sum(reverse=True).over(entity)
    return events.select(last & (newer <= REMEMBERED)).to_series()


def is_new(value: pl.Expr, entity: pl.Expr, start: pl.Expr) -> pl.Expr:
    """Whether the entity shows a value that its memory of other values does not hold.

    False while the memory is empty: the first value of all is no change, and null is no value.

    Parameters
    ----------
    value : polars.Expr
        Codes of a column that the view remembers.
    entity, start : polars.Expr
        The built-in columns ``_entity`` and ``_start``.
    """
    return pl.map_batches(
        [value.is_not_null(), value.fill_null(0), entity, start.to_physical()],
        _new_values,
        return_dtype=pl.Boolean,
    )


def _new_values(columns: Sequence[pl.Series]) -> pl.Series:
    known, value, entity, start = (column.to_numpy() for column in columns)
    span = REMEMBERED_FOR // timedelta(microseconds=1)
    return pl.Series(new_values(known, value, entity, start, REMEMBERED, span))


@kernel(boolean[::1](read(boolean), read(uint32), read(uint32), read(int64), int64, int64))
def new_values(
    known: NDArray[np.bool_],
    value: NDArray[np.uint32],
    entity: NDArray[np.uint32],
    start: NDArray[np.int64],
    most: int,
    span: int,
) -> NDArray[np.bool_]:
    """Whether each row's value is missing from what its entity showed before, shape (n,).

    Parameters
    ----------
    known, value : ndarray of shape (n,)
        Whether the row has a value, and its code.
    entity, start : ndarray of shape (n,)
        Rows of an entity stand together in order of time; start of the row's window.
    most, span : int
        Values remembered, least recently used forgotten first; and for how long, in the unit
        of ``start``.

    Source: ours; a least-recently-used cache as a move-to-front list.
    """
    found = np.zeros(value.size, np.bool_)
    values = np.zeros(most, np.uint32)
    seen = np.zeros(most, np.int64)
    held = 0
    for i in range(value.size):
        if i == 0 or entity[i] != entity[i - 1]:
            held = 0
        if not known[i]:
            continue
        # The list is in order of use: what is too old stands at its end.
        while held > 0 and start[i] - seen[held - 1] > span:
            held -= 1
        place = 0
        while place < held and values[place] != value[i]:
            place += 1
        if place == held:
            found[i] = held > 0
            held = min(held + 1, most)
            place = held - 1
        for j in range(place, 0, -1):
            values[j] = values[j - 1]
            seen[j] = seen[j - 1]
        values[0] = value[i]
        seen[0] = start[i]
    return found
