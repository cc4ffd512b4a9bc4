"""A file of trades is read over and over, each round after the one before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from benchmarks.bench_stream_memory import Again
from benchmarks.trades import DAY, trades

ROWS = 1_000


def test_rounds_follow_each_other_and_any_place_in_them_is_found_again(tmp_path: Path) -> None:
    events = trades(ROWS, per_day=24 * ROWS)
    events.write_parquet(tmp_path / "trades.parquet", row_group_size=400)
    lasts = timedelta(hours=1)
    source, position, parts = Again(tmp_path / "trades.parquet", ROWS, lasts), None, []
    for _ in range(9):
        batch = source.read(position)
        assert batch is not None
        again = Again(tmp_path / "trades.parquet", ROWS, lasts).read(position)
        assert again is not None
        assert again.events.equals(batch.events)
        position = batch.position
        parts.append(batch.events)
    read = pl.concat(parts)
    assert read["id"].to_list() == list(range(3 * ROWS))
    assert read["ts"].is_sorted()
    assert read["ts"].is_between(DAY, DAY + 3 * lasts).all()
    assert read.height == 3 * events.height
