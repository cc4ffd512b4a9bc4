"""Tables of events as others write them, under the names of our streams."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from features.calls import KINDS
from features.refusal import StreamError
from features.stream import TIME, Stream
from pipeline.files import InputError, read_events, read_table

__all__ = ["TIMELESS", "read_event_table"]

TIMELESS = datetime(2020, 1, 1, tzinfo=UTC)
"""The time of events that have none: all happen at once, so each entity has one window."""

# Columns of ethereum-etl, and of account histories written with them.
NAMES: Mapping[str, Mapping[str, str]] = {
    "transactions": {
        "account": "address",
        "block_timestamp": "ts",
        "from_address": "sender",
        "to_address": "to",
        "gas": "gas_limit",
        "receipt_gas_used": "gas_used",
    }
}
# What older nodes call a kind of call.
SYNONYMS = {"SUICIDE": "SELFDESTRUCT"}


def read_event_table(stream: Stream, path: Path, *, now: datetime) -> pl.DataFrame:
    """Read one file of valid events, its columns named as ours or as ethereum-etl's.

    A row of an account that never had a transaction has no time, and is left out.

    Raises
    ------
    InputError
        The file cannot be read as the stream, or a row would be refused.
    """
    table = read_table(path)
    names = {old: new for old, new in NAMES.get(stream.name, {}).items() if old in table.columns}
    if not names and stream.time in table.columns:
        return read_events(stream, [path], now=now)[0]
    table = table.rename(names)
    if stream.time not in table.columns:
        table = table.with_columns(pl.lit(TIMELESS, dtype=TIME).alias(stream.time))
    table = table.drop_nulls(stream.time)
    if "is_error" in table.columns:
        table = table.with_columns((pl.col("is_error") == 0).alias("success"))
    if stream.name == "calls":
        kind = pl.col("kind").str.to_uppercase().replace(SYNONYMS)
        known = kind.is_in(KINDS.categories.implode())
        table = table.with_columns(kind=pl.when(known).then(kind).otherwise(pl.lit("OTHER")))
    try:
        checked = stream.validate(table, now=now)
        checked.refused.raise_first()
    except StreamError as error:
        raise InputError(f"{path}: {error}") from error
    return checked.events
