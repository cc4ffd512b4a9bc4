"""A stream of events: its columns, and the border that every event crosses once.

Behind `Stream.validate` events are trusted: typed, complete, finite, in range, unique. What is
refused is counted by reason and kept, never dropped in silence (DESIGN.md, laws 6 and 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl
import pyarrow as pa

from features.refusal import Refusals, StreamError

__all__ = ["TIME", "Column", "Stream", "Validated"]

TIME = pl.Datetime("us", "UTC")
EARLIEST = datetime(2009, 1, 3, tzinfo=UTC)
"""The genesis block of Bitcoin: no event of a crypto platform is older."""


@dataclass(frozen=True)
class Column:
    """One column of a stream.

    Parameters
    ----------
    name, type
        Column name and Polars type. `pl.Enum` refuses unknown words.
    doc : str
        What the column holds, in a sentence.
    unit : str
        Unit of the values, empty for names and words.
    required : bool
        Whether every row needs a value. An optional column may be absent or null.
    above, at_least, at_most : float or None
        Range of a number: strictly above, and both ends included.
    """

    name: str
    type: pl.DataType
    doc: str
    unit: str = ""
    required: bool = True
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def expected(self) -> str:
        """The values this column takes, in words for an error message."""
        if isinstance(self.type, pl.Enum):
            return "one of " + ", ".join(self.type.categories.to_list())
        if self.type == TIME:
            return f"a UTC time from {EARLIEST:%Y-%m-%d} on and not in the future"
        if not self.type.is_numeric():
            return "a text" if self.type == pl.String else f"a {self.type}"
        kind = "a finite number" if self.type.is_float() else "a whole number"
        bounds = ((self.above, ">"), (self.at_least, ">="), (self.at_most, "<="))
        limits = [f"{sign} {limit:g}" for limit, sign in bounds if limit is not None]
        return " ".join([kind, " and ".join(limits)]).strip()

    def out_of_range(self) -> pl.Expr | None:
        """An expression that is true where the value lies outside the range, None without one."""
        value = pl.col(self.name)
        tests = []
        if self.above is not None:
            tests.append(value <= self.above)
        if self.at_least is not None:
            tests.append(value < self.at_least)
        if self.at_most is not None:
            tests.append(value > self.at_most)
        return pl.any_horizontal(tests) if tests else None


@dataclass(frozen=True)
class Validated:
    """Events on both sides of the border: those that satisfy the stream, and those refused."""

    events: pl.DataFrame
    refused: Refusals


@dataclass(frozen=True)
class Stream:
    """A named kind of event with an Arrow schema and a total order (entity, time, id).

    Parameters
    ----------
    name : str
        For example ``"trades"``.
    columns : tuple of Column
        Every column, the time column and the id included.
    key : tuple of str
        Columns that together name an event once; the last one is the id that breaks ties of time.
    time : str
        Name of the time column.

    Source: DESIGN.md, "The nouns".
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time: str = "ts"

    @property
    def id(self) -> str:
        """Column that orders events of one entity at one instant."""
        return self.key[-1]

    @cached_property
    def empty(self) -> pl.DataFrame:
        """A valid batch without events."""
        return pl.DataFrame(schema={c.name: c.type for c in self.columns})

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of a valid batch; optional columns are nullable."""
        return pa.schema(
            [pa.field(c.name, _arrow(c.type), nullable=not c.required) for c in self.columns]
        )

    def validate(
        self,
        events: pl.DataFrame | pa.Table,
        *,
        now: datetime,
        first_id: int = 0,
        max_disorder: timedelta | None = None,
    ) -> Validated:
        """Split a batch into events that satisfy the stream and refused rows with their reason.

        Parameters
        ----------
        events : polars.DataFrame or pyarrow.Table
            One row an event. Columns the stream does not know are left behind.
        now : datetime
            Aware. A row more than a day ahead of it has an absurd time.
        first_id : int
            Id of the first row when the source gives none: its position in the source.
        max_disorder : timedelta, optional
            Refuse as ``unsorted`` a row further than this behind the latest accepted row before it.
            None, the default, takes any order: `features.windows` sorts, and judges lateness.

        Raises
        ------
        StreamError
            When no row could be valid: a required column is missing, or a column has a type
            that cannot hold its values.
        """
        raw = events if isinstance(events, pl.DataFrame) else pl.DataFrame(events)
        typed = self._cast(self._complete(raw, first_id))
        refusals = Refusals(self.name, {c.name: c.expected for c in self.columns})
        for column in self.columns:
            self._check_column(column, raw, typed, refusals, now)
        self._check_unique(typed, refusals)
        if max_disorder is not None:
            # A row refused for another reason, such as an absurd time, is no measure of order.
            at = typed[self.time].set(refusals.broken(len(typed)), None)
            refusals.add("unsorted", self.time, at.cum_max() - at > max_disorder)
        refusals.collect(raw)
        return Validated(refusals.keep(typed), refusals)

    def _complete(self, frame: pl.DataFrame, first_id: int) -> pl.DataFrame:
        """The stream's columns in order; an absent id is the row's position."""
        columns: list[pl.Expr | pl.Series] = []
        for column in self.columns:
            if column.name in frame.columns:
                columns.append(pl.col(column.name))
            elif column.name == self.id:
                columns.append(
                    pl.int_range(first_id, first_id + len(frame), dtype=pl.Int64, eager=True).alias(
                        column.name
                    )
                )
            elif column.required:
                raise StreamError(
                    f"stream {self.name}: column {column.name} is missing; "
                    f"found {', '.join(frame.columns) or 'no columns'}; "
                    f"expected {', '.join(c.name for c in self.columns if c.required)}"
                )
            else:
                columns.append(pl.lit(None, dtype=column.type).alias(column.name))
        return frame.select(columns)

    def _cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Every column in its own type; a value that does not fit becomes null."""
        casts = []
        for column in self.columns:
            found, wanted = frame.schema[column.name], column.type
            if found == wanted:
                continue
            value = pl.col(column.name)
            if wanted == TIME and found == pl.String:
                value = value.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
            elif wanted == TIME and not (
                found == pl.Null or (isinstance(found, pl.Datetime) and found.time_zone)
            ):
                raise StreamError(
                    f"stream {self.name}: column {column.name} is {found}; "
                    "expected a time with its zone, such as 2026-01-31T12:00:00Z"
                )
            elif found != pl.Null and not _castable(found, wanted):
                raise StreamError(
                    f"stream {self.name}: column {column.name} is {found}; expected {wanted}"
                )
            elif wanted.is_integer() and found.is_float():
                value = pl.when(value == value.round()).then(value)
            casts.append(value.cast(wanted, strict=False))
        return frame.with_columns(casts)

    def _check_column(
        self, column: Column, raw: pl.DataFrame, typed: pl.DataFrame, to: Refusals, now: datetime
    ) -> None:
        value = typed[column.name]
        if value.null_count():
            given = raw[column.name].is_not_null() if column.name in raw.columns else None
            if given is not None:
                word = "unknown_value" if isinstance(column.type, pl.Enum) else "wrong_type"
                to.add(word, column.name, value.is_null() & given)
            if column.required:
                to.add("null", column.name, value.is_null())
        if column.type.is_float():
            to.add("non_finite", column.name, ~value.is_finite())
        if column.name == self.time:
            absurd = (value < EARLIEST) | (value > now + timedelta(days=1))
            to.add("absurd_time", column.name, absurd)
        outside = column.out_of_range()
        if outside is not None:
            to.add("out_of_range", column.name, typed.select(outside).to_series())

    def _check_unique(self, typed: pl.DataFrame, to: Refusals) -> None:
        ids = typed[self.id]
        # Ids that only ever rise are unique, and most sources give such ids: one cheap pass.
        if ids.null_count() == 0 and bool((ids.diff().drop_nulls() > 0).all()):
            return
        # A row refused for another reason does not make the next one with its id a duplicate.
        keyed = typed.select(pl.struct(*self.key, to.broken(len(typed)).alias("refused")))
        again = ~keyed.to_series().is_first_distinct()
        to.add("duplicate_id", self.id, again & ids.is_not_null())


def _castable(found: pl.DataType, wanted: pl.DataType) -> bool:
    """Whether values of one type can stand for values of the other without guessing."""
    words: tuple[Any, ...] = (pl.String, pl.Categorical, pl.Enum)
    if isinstance(wanted, pl.Enum):
        return isinstance(found, words)
    if wanted == pl.String:
        return isinstance(found, words) or found.is_integer()
    if wanted == TIME:
        return isinstance(found, pl.Datetime)
    return wanted.is_numeric() and (found.is_numeric() or found == pl.String)


def _arrow(wanted: pl.DataType) -> pa.DataType:
    """The plain Arrow type of a column; an enumeration travels as text."""
    if isinstance(wanted, pl.Enum) or wanted == pl.String:
        return pa.string()
    return pl.Series(dtype=wanted).to_arrow().type
