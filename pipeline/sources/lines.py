"""Lines of text become rows: JSON lines and CSV, at the speed of Polars while they are well formed.

A chunk is parsed at once by Polars, strictly. Only where that fails are its lines parsed one by
one, and those that are no rows are refused with their text. No line is lost: rows + refused =
lines that are not blank.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

import orjson
import polars as pl

from features.stream import TIME, Stream
from pipeline.sources.source import unreadable

__all__ = ["Parsed", "parse_csv", "parse_json", "rows_of"]

Parsed = tuple[pl.DataFrame, pl.DataFrame | None]
"""Rows, and what was refused (columns of `pipeline.sources.source.REFUSED`)."""

LONGEST = 2_000
"""Characters of a refused line that are kept."""

# As Polars does: whether a record is one must not depend on the lines beside it.
csv.field_size_limit(2**31 - 1)


def parse_json(stream: Stream, data: bytes) -> Parsed:
    """Rows of JSON lines: one object a line, blank lines apart.

    Parameters
    ----------
    stream : Stream
        Whose columns are read; what else an object holds is left behind.
    data : bytes
        Whole lines.
    """
    if not data.strip():
        return pl.DataFrame(schema=_plain(stream)), None
    try:
        frame = pl.read_ndjson(io.BytesIO(data), schema=_plain(stream))
    except pl.exceptions.PolarsError:
        return _json_by_line(stream, data)
    return _without_absent(stream, frame), None


def _json_by_line(stream: Stream, data: bytes) -> Parsed:
    rows, bad = [], []
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
        else:
            bad.append(_shown(line))
    return rows_of(stream, rows), unreadable("not a JSON object", bad) if bad else None


def rows_of(stream: Stream, rows: Iterable[dict[str, Any]]) -> pl.DataFrame:
    """A frame of the stream's columns from dictionaries, whatever their values are.

    A column whose values are of several kinds comes as texts, of which the border refuses those
    that cannot be read; nothing becomes null by itself.
    """
    rows = list(rows)
    columns = {
        column.name: _series(column.name, [row.get(column.name) for row in rows])
        for column in stream.columns
    }
    if not rows:
        return pl.DataFrame(schema=_plain(stream))
    return _without_absent(stream, pl.DataFrame(columns))


def _series(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds != {int}:
        kinds = {float}
    try:
        if len(kinds) == 1 and kinds <= {int, float, str}:
            return pl.Series(name, values, strict=kinds != {float})
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        pass
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, default=str) for v in values]
    return pl.Series(name, texts, dtype=pl.String())


def parse_csv(stream: Stream, header: list[str], data: bytes) -> Parsed:
    """Rows of CSV lines (RFC 4180), all values as texts; an empty value is null.

    Parameters
    ----------
    header : list of str
        Names of the columns.
    data : bytes
        Whole records, without the header.
    """
    schema = dict.fromkeys(header, pl.String())
    if not data.strip():
        return pl.DataFrame(schema=schema), None
    # Polars fills up records that are too short: only the count of commas tells.
    even = b'"' not in data and data.count(b",") == (len(header) - 1) * _lines(data)
    if even:
        try:
            frame = pl.read_csv(data, has_header=False, schema=schema)
            if len(frame) == _lines(data):
                return frame, None
        except pl.exceptions.PolarsError:
            pass
    rows, bad = [], []
    text = io.StringIO(data.decode(errors="surrogateescape"), newline="")
    for record in csv.reader(text):
        # Bytes that are no UTF-8 stand as surrogates.
        if len(record) == len(header) and all(v.isprintable() or _utf8(v) for v in record):
            rows.append([value or None for value in record])
        elif record:
            bad.append(_shown(",".join(record).encode(errors="surrogateescape")))
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame, unreadable(f"not {len(header)} values of text", bad) if bad else None


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _utf8(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(line: bytes) -> str:
    return line.strip().decode(errors="replace")[:LONGEST]


def _plain(stream: Stream) -> dict[str, pl.DataType]:
    """The stream's columns as JSON gives them: times and words are texts."""
    return {
        c.name: pl.String() if c.type == TIME or isinstance(c.type, pl.Enum) else c.type
        for c in stream.columns
    }


def _without_absent(stream: Stream, frame: pl.DataFrame) -> pl.DataFrame:
    """Without the id where no row has one: the border then numbers the rows."""
    return frame.drop(stream.id) if frame[stream.id].is_null().all() else frame
