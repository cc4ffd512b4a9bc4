"""Tables of others' names become events of our streams, row for row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from features.catalogue import STREAMS
from pipeline.evaluation.event_tables import TIMELESS, read_event_table
from pipeline.files import InputError, read_events

NOW = datetime(2027, 1, 1, tzinfo=UTC)
AT = datetime(2026, 1, 1, tzinfo=UTC)


def calls() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "tx": ["0xa", "0xa", "0xb"],
            "idx": [0, 1, 0],
            "depth": [0, 1, 0],
            "kind": ["CALL", "SUICIDE", "CREATE2"],
            "from_address": ["0x1", "0x2", "0x1"],
            "to_address": ["0x2", None, "0x3"],
            "value_wei": [1e18, 0.0, 0.0],
            "selector": ["0xdeadbeef", "0x", "0x"],
            "input_length": [68, 0, 0],
        }
    )


def history() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "account": ["0x1", "0x1", "0x2"],
            "block_timestamp": [AT, AT + timedelta(hours=1), None],
            "hash": ["0xa", "0xb", None],
            "from_address": ["0x9", "0x1", None],
            "to_address": ["0x1", "0x8", None],
            "value_wei": [1e18, 2e17, None],
            "gas": [21_000.0, 50_000.0, None],
            "gas_price": [1e9, 2e9, None],
            "receipt_gas_used": [21_000.0, 40_000.0, None],
            "is_error": [0, 1, 0],
            "selector": ["0x", "0xdeadbeef", "0x"],
        },
        schema_overrides={"block_timestamp": pl.Datetime("us", "UTC"), "is_error": pl.Int8},
    )


def read(stream: str, table: pl.DataFrame, folder: Path) -> pl.DataFrame:
    path = folder / "events.parquet"
    table.write_parquet(path)
    return read_event_table(STREAMS[stream], path, now=NOW)


def test_calls_without_a_time_all_happen_at_once(tmp_path: Path) -> None:
    events = read("calls", calls(), tmp_path)
    assert events["ts"].unique().to_list() == [TIMELESS]
    assert events["kind"].to_list() == ["CALL", "SELFDESTRUCT", "CREATE2"]


def test_the_names_of_ethereum_etl_are_known(tmp_path: Path) -> None:
    events = read("transactions", history(), tmp_path)
    assert events["address"].to_list() == ["0x1", "0x1"]
    assert events["sender"].to_list() == ["0x9", "0x1"]
    assert events["to"].to_list() == ["0x1", "0x8"]
    assert events["success"].to_list() == [True, False]
    assert events["gas_used"].to_list() == [21_000.0, 40_000.0]
    assert events["ts"].to_list() == [AT, AT + timedelta(hours=1)]


def test_our_own_names_are_read_as_ever(few_trades: pl.DataFrame, tmp_path: Path) -> None:
    events = read("trades", few_trades, tmp_path)
    path = tmp_path / "events.parquet"
    assert events.equals(read_events(STREAMS["trades"], [path], now=NOW)[0])


def test_a_row_that_would_be_refused_is_an_error_with_the_file(tmp_path: Path) -> None:
    bad = calls().with_columns(depth=pl.lit(-1))
    with pytest.raises(InputError, match=r"events\.parquet.*depth"):
        read("calls", bad, tmp_path)
