"""Windows as requests give them, straight into a matrix: rows, columns, Arrow; errors named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.stream import EARLIEST, TIME
from features.view import FeatureView
from serving.api.problems import ProblemError

__all__ = ["EPOCH", "MICROSECOND", "Given", "of_columns", "of_frame", "of_rows", "wrong"]

LARGEST = 1e30
LONGEST_NAME = 500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
NUMBERS = {float, int, type(None)}
ABSENT = object()
TIMES = {str, object}


@dataclass(frozen=True)
class Given:
    """Windows of one view as a matrix.

    Parameters
    ----------
    entity : list of n str
    start : ndarray of shape (n,), int64
        Microseconds from 1970.
    values : ndarray of shape (n, d), float64
        The view's features in order; NaN where unknown, else finite.
    """

    entity: list[str]
    start: NDArray[np.int64]
    values: NDArray[np.float64]

    def part(self, begin: int, end: int) -> Given:
        """Some windows in a row."""
        rows = slice(begin, end)
        return Given(self.entity[rows], self.start[rows], self.values[rows])


def wrong(field: str, found: object, expected: str, *, status: int = 422) -> ProblemError:
    """The problem of a field of a request."""
    shown = repr(found) if isinstance(found, str | int | float | bool) else type(found).__name__
    detail = f"{field} is {shown[:80]}; expected {expected}"
    return ProblemError(status, "Invalid request", detail, field=field)


def of_rows(view: FeatureView, rows: Sequence[Any], now: datetime, place: str = "windows") -> Given:
    """Windows given one by one, as ``{"entity": ..., "start": ..., <feature>: number or null}``.

    Raises
    ------
    ProblemError
        422 with the field that is wrong.
    """
    names, known = view.names, {*view.names, "entity", "start", "end"}
    entities, starts, matrix = [], [], []
    # Windows of one time are often asked for together: it is read once.
    read: dict[tuple[Any, Any], int] = {}
    for i, row in enumerate(rows):
        where = f"{place}.{i}"
        if not isinstance(row, dict):
            raise wrong(where, row, "an object")
        if not row.keys() <= known:
            name = min(row.keys() - known)
            expected = f"entity, start and features of {view.name}: {', '.join(names)}"
            raise wrong(f"{where}.{name}", "unknown", expected)
        values = [*map(row.get, names)]
        if not NUMBERS.issuperset(map(type, values)):
            name = next(n for n, v in zip(names, values, strict=True) if type(v) not in NUMBERS)
            raise wrong(f"{where}.{name}", row[name], "a number or null")
        entities.append(_entity(row.get("entity"), where))
        matrix.append(values)
        times = row.get("start", ABSENT), row.get("end", ABSENT)
        if not TIMES.issuperset(map(type, times)):
            times = i, i  # what is no text may be no key
        if times not in read:
            read[times] = _start(view, row, where, now)
        starts.append(read[times])
    return _checked(view, entities, np.array(starts, np.int64), _matrix(matrix), place)


def of_columns(view: FeatureView, columns: Mapping[str, Any], now: datetime) -> Given:
    """Windows given as ``{"entity": [...], "start": [...], <feature>: [...]}``.

    Raises
    ------
    ProblemError
        422 with the field that is wrong.
    """
    for name, column in columns.items():
        if not isinstance(column, list):
            raise wrong(f"columns.{name}", column, "a list")
    sizes = {name: len(column) for name, column in columns.items()}
    if len(set(sizes.values())) != 1:
        raise wrong("columns", str(sizes), "lists of one length")
    return of_rows(
        view,
        [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        now,
        "columns",
    )


def of_frame(view: FeatureView, frame: pl.DataFrame, now: datetime) -> Given:
    """Windows given as a frame, such as the lake's; ``end`` may be there.

    Raises
    ------
    ProblemError
        422 with the column that is wrong.
    """
    if unknown := set(frame.columns) - {*view.names, "entity", "start", "end"}:
        raise wrong(min(unknown), "unknown", f"columns of {view.name}: {', '.join(view.names)}")
    if frame.schema.get("entity") != pl.String or frame["entity"].null_count():
        raise wrong("entity", str(frame.schema.get("entity")), "a column of texts without nulls")
    start = frame.schema.get("start")
    if not isinstance(start, pl.Datetime) or not start.time_zone or frame["start"].null_count():
        raise wrong("start", str(start), "a column of times with a zone, without nulls")
    columns = []
    for name in view.names:
        kind = frame.schema.get(name, pl.Null())
        if not (kind.is_numeric() or kind == pl.Null):
            raise wrong(name, str(kind), "a column of numbers")
        missing = pl.lit(None, pl.Float64).alias(name)
        columns.append(pl.col(name).cast(pl.Float64) if name in frame.columns else missing)
    times = frame["start"].cast(TIME).to_physical()
    first, last = ((time - EPOCH) // MICROSECOND for time in (EARLIEST, now + DAY))
    if not times.is_between(first, last).all():
        raise wrong("start", "out of range", f"times from {EARLIEST:%Y-%m-%d} to tomorrow")
    entities = frame["entity"].to_list()
    if any(not 0 < len(name) <= LONGEST_NAME for name in set(entities)):
        raise wrong("entity", "too long or empty", f"1 to {LONGEST_NAME} characters")
    chosen = frame.select(columns)
    matrix = chosen.to_numpy(order="c")
    # A NaN that is given is refused, a null is unknown; both are NaN in the matrix.
    if np.isnan(matrix).sum() > sum(chosen.null_count().row(0)):
        raise wrong("columns", "NaN", "finite numbers, null where unknown")
    return _checked(view, entities, times.to_numpy(), matrix, "columns")


def _matrix(rows: list[list[Any]]) -> NDArray[np.float64]:
    try:
        return np.array(rows, np.float64)
    except OverflowError as error:
        raise wrong("windows", "a huge number", f"numbers up to {LARGEST:g}") from error


def _checked(
    view: FeatureView,
    entities: list[str],
    starts: NDArray[np.int64],
    values: NDArray[np.float64],
    place: str,
) -> Given:
    # One pass over the matrix: a NaN is unknown by now, anything else must be finite and sane.
    unknown = np.isnan(values)
    bad = ~(unknown | (np.abs(values) <= LARGEST))
    if bad.any():
        row, column = np.argwhere(bad)[0].tolist()
        found = float(values[row, column])
        shown = found if math.isfinite(found) else "not finite"
        field = f"{place}.{row}.{view.names[column]}"
        raise wrong(field, shown, f"a finite number up to {LARGEST:g}, or null where unknown")
    empty = unknown.all(axis=1)
    if empty.any():
        where = f"{place}.{int(np.argmax(empty))}"
        raise wrong(where, "empty", f"at least one feature of {view.name}")
    return Given(entities, starts, np.ascontiguousarray(values))


def _entity(given: Any, where: str) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME:
        raise wrong(f"{where}.entity", given, f"a text of 1 to {LONGEST_NAME} characters")
    return given


def _start(view: FeatureView, row: Mapping[str, Any], where: str, now: datetime) -> int:
    """When a window began, by default the one that is over now."""
    if "start" not in row:
        return ((now - EPOCH) // view.every - 1) * (view.every // MICROSECOND)
    start = _time(row["start"], f"{where}.start", now)
    if "end" in row and _time(row["end"], f"{where}.end", now) != start + view.every:
        raise wrong(f"{where}.end", row["end"], f"start and {view.every.total_seconds():g} s")
    return (start - EPOCH) // MICROSECOND


def _time(given: Any, where: str, now: datetime) -> datetime:
    try:
        time = datetime.fromisoformat(given)
        if time.tzinfo is not None and EARLIEST <= time <= now + DAY:
            return time
    except (TypeError, ValueError, OverflowError):
        pass
    expected = f"a time with its zone from {EARLIEST:%Y-%m-%d} to tomorrow"
    raise wrong(where, given, f"{expected}, such as 2026-01-31T12:00:00Z")
