"""The difference between windows sees every way in which they can differ."""

from __future__ import annotations

import math

import polars as pl
import pytest

from benchmarks import peers_pandas, peers_polars
from benchmarks.bench_windows import difference
from benchmarks.trades import trades
from features.extract import extract
from features.trading import SYMBOL_1M


@pytest.fixture(scope="module")
def events() -> pl.DataFrame:
    # Dense enough that markets have orders in a rush, thin enough that some minutes hold one trade.
    return trades(3_000, per_day=1_000_000)


@pytest.fixture(scope="module")
def windows(events: pl.DataFrame) -> pl.DataFrame:
    return extract(SYMBOL_1M, events)


def test_peers_compute_every_feature_of_the_view(
    events: pl.DataFrame, windows: pl.DataFrame
) -> None:
    assert windows["count"].min() == 1
    assert windows["rush_order_std"].max() > 0
    assert difference(windows, peers_pandas.windows(peers_pandas.prepare(events))) <= 1e-9
    assert difference(windows, peers_polars.windows(peers_polars.prepare(events))) <= 1e-9


@pytest.mark.parametrize("name", SYMBOL_1M.names)
def test_another_value_of_any_feature_is_a_difference(name: str, windows: pl.DataFrame) -> None:
    other = windows.with_columns(pl.col(name) + 0.5)
    assert difference(windows, other) > 1e-4


def test_undefined_equals_undefined_only(windows: pl.DataFrame) -> None:
    undefined = windows.with_columns(vwap=pl.lit(None, pl.Float64))
    assert difference(undefined, undefined) == 0
    assert difference(windows, undefined) == math.inf


def test_other_windows_are_a_difference(windows: pl.DataFrame) -> None:
    assert difference(windows, windows.head(-1)) == math.inf
    assert difference(windows, windows.with_columns(pl.col("start") + SYMBOL_1M.every)) == math.inf
    assert difference(windows, windows.with_columns(entity=pl.lit("S"))) == math.inf
