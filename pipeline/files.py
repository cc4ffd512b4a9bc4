"""Files of events in, files of windows and scores out: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import STREAMS
from features.refusal import StreamError
from features.stream import Stream

__all__ = ["InputError", "digest", "read_events", "read_table", "write_parquet"]


class InputError(ValueError):
    """A file that cannot be used; the message says which, where, and what was expected."""


def read_table(path: Path) -> pl.DataFrame:
    """Read one file by its ending: ``.parquet``, ``.csv``, ``.jsonl`` or ``.ndjson``.

    A CSV file comes as texts: its stream's schema gives them their types.

    Raises
    ------
    InputError
        The file is missing, empty, damaged, or of another kind.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path}: unknown kind of file; expected {', '.join(READERS)}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    try:
        table = reader(path)
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: not a readable {path.suffix[1:]} file: {reason}") from error
    if table.is_empty():
        raise InputError(f"{path}: holds no rows")
    return table


def _read_parquet(path: Path) -> pl.DataFrame:
    frame = pl.from_arrow(pq.read_table(path, partitioning=None))
    assert isinstance(frame, pl.DataFrame)
    return frame


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".parquet": _read_parquet,
    ".csv": lambda path: pl.read_csv(path, infer_schema=False),
    ".jsonl": pl.read_ndjson,
    ".ndjson": pl.read_ndjson,
}


TEXTLESS = cs.nested() | cs.binary() | cs.duration() | cs.object()
"""Columns that Polars has no text for; no stream has one, but a file may."""


def read_events(
    stream: Stream, paths: Sequence[Path], *, now: datetime, refused_to: Path | None = None
) -> tuple[pl.DataFrame, Counter[str]]:
    """Read and validate the events of one stream from files, in the order given.

    Parameters
    ----------
    refused_to : Path, optional
        Where to write refused rows as Parquet, with ``file``, ``row``, ``reason``, ``column``.
        Without it the first refused row is an error.

    Returns
    -------
    events, counts
        The valid events, and how many rows were refused for each reason.

    Raises
    ------
    InputError
        A file cannot be read as the stream, or a row is refused and there is nowhere to put it.
    """
    tables = [read_table(path) for path in paths]
    parts: list[pl.DataFrame] = []
    refused: list[pl.DataFrame] = []
    counts: Counter[str] = Counter()
    position = 0
    for path, table in zip(paths, tables, strict=True):
        try:
            checked = stream.validate(table, now=now, first_id=position)
            if refused_to is None:
                checked.refused.raise_first()
        except StreamError as error:
            raise InputError(f"{path}: {error}{_looks_like(stream, table)}") from error
        position += len(table)
        parts.append(checked.events)
        counts.update(checked.refused.counts)
        if len(checked.refused):
            # Files may give one column different types; as text every value is kept.
            rows = checked.refused.rows.with_columns((~TEXTLESS).cast(pl.String, strict=False))
            refused.append(rows.with_columns(pl.lit(str(path)).alias("file")))
    events = pl.concat(parts)
    if len(parts) > 1:
        first = events.select(pl.struct(stream.key).is_first_distinct()).to_series()
        again = events.filter(~first)
        if len(again) and refused_to is None:
            named = " ".join(str(value) for value in again.select(stream.key).row(0))
            raise InputError(f"stream {stream.name}: {named} is in more than one file")
        if len(again):
            events = events.filter(first)
            counts["duplicate_id"] += len(again)
            texts = again.select(pl.all().cast(pl.String))
            why = {"reason": pl.lit("duplicate_id"), "column": pl.lit(stream.id)}
            refused.append(texts.with_columns(**why))
    if refused and refused_to is not None:
        write_parquet(pl.concat(refused, how="diagonal_relaxed"), refused_to)
    return events, counts


def digest(paths: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in hexadecimal: the same files have the same."""
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()


def _looks_like(stream: Stream, table: pl.DataFrame) -> str:
    """The name of another stream that the columns would fit, as the end of a sentence."""
    for other in STREAMS.values():
        needed = {c.name for c in other.columns if c.required and c.name != other.id}
        if other is not stream and needed <= set(table.columns):
            return f"; it looks like {other.name}"
    return ""


def write_parquet(frame: pl.DataFrame, path: Path) -> None:
    """Write a Parquet file under a temporary name and rename it when it is complete.

    Raises
    ------
    InputError
        The path is a directory, or cannot be written to.
    """
    if path.is_dir():
        raise InputError(f"{path}: is a directory; expected the name of a file to write")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        try:
            frame.write_parquet(temporary)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: cannot be written: {reason}") from error
