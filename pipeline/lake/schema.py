"""What the tables of the lake take: names, columns and times, and the errors that say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

__all__ = [
    "ASIDE",
    "KEYS",
    "PARTITION",
    "SCORES",
    "LakeError",
    "align",
    "check",
    "explained",
    "folder_of",
    "schema_of",
    "utc",
]

TIME = pl.Datetime("us", "UTC")
KEYS: dict[str, pl.DataType] = {"entity": pl.String(), "start": TIME, "end": TIME}
PARTITION = "date"
SCORES = "scores/"
ASIDE = "aside/"
"""Tables of what became no window: ``entity`` is the source, ``start`` and ``end`` when it came."""

_TABLE = re.compile(r"(?:scores/|aside/)?[a-z0-9_]+(?:\.[a-z0-9_]+)*")
# Delta takes no two columns that differ by case only.
_COLUMN = re.compile(r"[a-z_][a-z0-9_]*")
_OF_WINDOWS = frozenset({pl.Float64()})
_OF_SCORES = frozenset({pl.Float64(), pl.Boolean(), pl.Int64(), pl.String()})


class LakeError(ValueError):
    """What the lake refuses or cannot read; the message names table, column, found, expected."""


@contextmanager
def explained(table: str, doing: str) -> Iterator[None]:
    """Turn the errors of the libraries below into one line that names the table."""
    try:
        yield
    except (DeltaError, pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise LakeError(f"{table}: cannot {doing} the table: {reason}") from None


def folder_of(table: str) -> tuple[str, str]:
    """Folder and directory of a table; refuse a name that could lead out of the lake.

    >>> folder_of("trades.symbol_5s"), folder_of("scores/trades.symbol_5s")
    (('windows', 'trades.symbol_5s'), ('scores', 'trades.symbol_5s'))
    """
    if not _TABLE.fullmatch(table):
        raise LakeError(
            f"{table!r} is no name of a table; expected [scores/ or aside/] and words of a-z, "
            "0-9, _ joined by dots"
        )
    folder, _, name = table.rpartition("/")
    return folder or "windows", name


def utc(name: str, time: datetime) -> datetime:
    """The same instant in UTC; refuse a naive time.

    >>> utc("since", datetime.fromisoformat("2024-05-01T02:00+02:00")).isoformat()
    '2024-05-01T00:00:00+00:00'
    """
    if time.tzinfo is None:
        raise LakeError(f"{name} = {time}: no time zone; expected an aware time")
    return time.astimezone(UTC)


def schema_of(table: DeltaTable) -> dict[str, pl.DataType]:
    """Columns of a table with their types, without the partition."""
    columns = pl.Schema(table.schema())
    return {name: dtype for name, dtype in columns.items() if name != PARTITION}


def check(table: str, windows: pl.DataFrame) -> pl.DataFrame:
    """The windows as they are written: keys first, sorted by (start, entity), with their date.

    Raises
    ------
    LakeError
        For a missing or null key, an ``end`` that is not after its ``start``, two windows with
        one (entity, start), and a column whose name or type the table does not take.
    """
    found = windows.schema
    for name, dtype in KEYS.items():
        if found.get(name) != dtype:
            raise LakeError(f"{table}: column {name} is {found.get(name)}; expected {dtype}")
        if nulls := windows[name].null_count():
            raise LakeError(f"{table}: column {name} has {nulls} nulls; expected none")
    aside = table.startswith(ASIDE)
    takes = _OF_SCORES if aside or table.startswith(SCORES) else _OF_WINDOWS
    for name, dtype in found.items():
        if name == PARTITION or not _COLUMN.fullmatch(name):
            raise LakeError(f"{table}: column {name!r}; expected a-z, 0-9, _ and not {PARTITION!r}")
        if name not in KEYS and dtype not in takes:
            expected = " or ".join(sorted(map(str, takes)))
            raise LakeError(f"{table}: column {name} is {dtype}; expected {expected}")
    for fault, rows in (
        ("ends before it has begun", windows["end"] <= windows["start"]),
        ("is there twice", windows.select("entity", "start").is_duplicated()),
    ):
        if not aside and rows.any():
            entity, start, end = windows.select(*KEYS).row(rows.arg_true()[0])
            raise LakeError(f"{table}: window of {entity} from {start} to {end} {fault}")
    return (
        windows.select(*KEYS, pl.exclude(*KEYS))
        .sort("start", "entity", maintain_order=True)
        .with_columns(pl.col("start").dt.date().alias(PARTITION))
    )


def align(table: str, rows: pl.DataFrame, known: dict[str, pl.DataType]) -> pl.DataFrame:
    """Checked rows in a table's columns: missing ones null, new ones last.

    Raises
    ------
    LakeError
        For a column of another type than the table's.
    """
    for name, dtype in known.items():
        if rows.schema.get(name, dtype) != dtype:
            raise LakeError(f"{table}: column {name} is {rows.schema[name]}; expected {dtype}")
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in known.items() if name not in rows]
    return rows.with_columns(missing).select(*known, pl.exclude(*known))
