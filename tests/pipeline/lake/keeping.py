"""Windows for the lake to keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

VIEW = "trades.symbol_5s"
DAY = datetime(2024, 5, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
SCHEMA = {"entity": pl.String, "start": TIME, "end": TIME, "vwap": pl.Float64, "count": pl.Float64}


def windows(count: int = 4, day: int = 0, entity: str = "BTC", at: int = 0) -> pl.DataFrame:
    """Windows of an entity, one after another from the day's step `at`."""
    starts = [DAY + timedelta(days=day, seconds=5 * (at + i)) for i in range(count)]
    rows = [
        (entity, start, start + timedelta(seconds=5), (at + i) / 3, None)
        for i, start in enumerate(starts)
    ]
    return pl.DataFrame(rows, SCHEMA, orient="row")
