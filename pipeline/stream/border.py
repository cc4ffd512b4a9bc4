"""The border of the loop: no row that a source gives stops it, and none is lost.

Rows that are refused, late or from the future are put aside as texts with their reason, in a
table of the lake for each stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.refusal import StreamError
from features.stream import TIME, Stream

__all__ = ["ASIDE", "Judged", "as_texts", "aside", "aside_lines", "judge", "pack", "unpack"]

ASIDE = {
    "entity": pl.String(),
    "start": TIME,
    "end": TIME,
    "kind": pl.String(),
    "reason": pl.String(),
    "field": pl.String(),
    "row": pl.String(),
}
"""Columns of what was put aside. ``entity`` is the source that gave the row, or the view it was
late for; ``start`` and ``end`` when it came; ``kind`` is refused, late or future."""

LONGEST = 2_000


@dataclass(frozen=True)
class Judged:
    """Rows on both sides of the border; ``refused`` has ``reason`` and ``column`` beside them."""

    events: pl.DataFrame
    refused: pl.DataFrame


def judge(stream: Stream, rows: pl.DataFrame, *, now: datetime, first_id: int) -> Judged:
    """Validate rows whatever their columns are: refuse rows where `Stream.validate` refuses all.

    Parameters
    ----------
    first_id : int
        Number of the first row, for rows without ids.
    """
    try:
        valid = stream.validate(rows, now=now, first_id=first_id)
    except StreamError:
        texts, odd = _with_answers(stream, as_texts(stream, rows))
        valid = stream.validate(texts, now=now, first_id=first_id)
        return Judged(valid.events, pl.concat([odd, valid.refused.rows], how="diagonal_relaxed"))
    return Judged(valid.events, valid.refused.rows)


def as_texts(stream: Stream, rows: pl.DataFrame) -> pl.DataFrame:
    """The stream's columns as texts, missing ones null: every row is then judged alone."""
    columns = []
    for column in stream.columns:
        if column.name in rows.columns:
            columns.append(_texts(rows[column.name]))
        elif column.required and column.name != stream.id:
            columns.append(pl.Series(column.name, [None], pl.String()).new_from_index(0, len(rows)))
    return pl.DataFrame(columns)


def _with_answers(stream: Stream, texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Texts whose yes and no are Booleans, and the rows that say something else."""
    refused = [texts.clear()]
    for column in stream.columns:
        if column.type == pl.Boolean() and column.name in texts.columns:
            other = ~texts[column.name].is_in(["true", "false"]).fill_null(True)
            why = {"reason": pl.lit("wrong_type"), "column": pl.lit(column.name)}
            refused.append(texts.filter(other).with_columns(**why))
            texts = texts.filter(~other).with_columns(pl.col(column.name) == "true")
    return texts, pl.concat(refused, how="diagonal_relaxed")


def _texts(values: pl.Series) -> pl.Series:
    """Values of any type as texts; what has no text of its own as people would write it."""
    try:
        if values.dtype.is_nested():
            encoded = pl.struct(values.name).struct.json_encode().alias(values.name)
            return values.to_frame().select(encoded).to_series()
        return values.cast(pl.String, strict=False)
    except pl.exceptions.PolarsError:
        # Bytes that are no UTF-8, and whatever else Polars has no text for.
        texts = [None if value is None else str(value) for value in values]
        return pl.Series(values.name, texts, pl.String())


def aside(
    kind: str, entity: str, rows: pl.DataFrame, *, now: datetime, reason: str | None = None
) -> pl.DataFrame:
    """Rows as they are put aside, with columns of `ASIDE`.

    Parameters
    ----------
    kind : {"refused", "late", "future"}
    entity : str
        The source, or for late rows the view.
    rows : polars.DataFrame
        With ``reason`` and ``column`` where no reason is given, as `Refusals.rows` has them.
    """
    own = [name for name in rows.columns if reason or name not in ("row", "reason", "column")]
    texts = pl.DataFrame([_texts(rows[name]) for name in own])
    given = texts.select(pl.struct(pl.all()).struct.json_encode()) if texts.width else None
    why = rows.select("reason", pl.col("column").alias("field")) if reason is None else None
    return _table(
        kind,
        entity,
        now,
        given.to_series() if given is not None else pl.repeat("{}", len(rows), eager=True),
        pl.repeat(reason, len(rows), dtype=pl.String(), eager=True)
        if why is None
        else why["reason"],
        None if why is None else why["field"],
    )


def aside_lines(entity: str, refused: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """What could not even be parsed, as it is put aside."""
    return _table("refused", entity, now, refused["row"], refused["reason"], None)


def _table(
    kind: str,
    entity: str,
    now: datetime,
    row: pl.Series,
    reason: pl.Series,
    field: pl.Series | None,
) -> pl.DataFrame:
    columns = {"row": row.str.slice(0, LONGEST), "reason": reason, "field": field}
    same = {"entity": entity, "start": now, "end": now, "kind": kind}
    lits = [pl.lit(value, ASIDE[name]).alias(name) for name, value in same.items()]
    frame = pl.DataFrame({k: v for k, v in columns.items() if v is not None})
    if field is None:
        frame = frame.with_columns(pl.lit(None, pl.String()).alias("field"))
    return frame.with_columns(lits).select(*ASIDE)


def pack(frame: pl.DataFrame) -> bytes:
    """A frame as Arrow IPC bytes, for the checkpoint; equal frames give equal bytes."""
    # Views into shared texts would be written as they happen to be shared.
    level = pl.CompatLevel.oldest()
    return frame.write_ipc(None, compression="uncompressed", compat_level=level).getvalue()


def unpack(data: bytes) -> pl.DataFrame:
    """The frame that `pack` wrote."""
    return pl.read_ipc(data)
