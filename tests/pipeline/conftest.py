"""Made-up trades for the tests of this folder: few, quick, with one planted pump."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

START = datetime(2026, 1, 30, tzinfo=UTC)
HOURS = 22
PUMP = START + timedelta(hours=20)
PUMPED = "B"
# Exact in a double, so that every kind of file gives them back.
PRICE, QTY = (0.5, 0.75, 1.0), (0.25, 1.0, 4.0)


def made_up_trades(hours: int, per_hour: int, *, pump: bool) -> pl.DataFrame:
    """Trades of the markets A, B and C without ids, in order of time."""
    rng = np.random.default_rng(8)
    frames = []
    for symbol in "ABC":
        count = hours * per_hour
        at = np.sort(rng.uniform(0, 3_600_000 * hours, count)).astype(np.int64)
        side, qty = rng.choice(["buy", "sell"], count), rng.choice(QTY, count)
        if pump and symbol == PUMPED:
            begin = (PUMP - START) // timedelta(milliseconds=1)
            rush = begin + np.sort(rng.gamma(1.3, 15_000, 400)).astype(np.int64)
            at = np.concatenate([at, rush])
            side = np.concatenate([side, np.repeat("buy", 400)])
            qty = np.concatenate([qty, rng.choice(QTY, 400) * 16])
        frames.append(
            pl.DataFrame({"at": at, "symbol": symbol, "qty": qty, "side": side}).with_columns(
                pl.Series("price", rng.choice(PRICE, len(at)))
            )
        )
    ts = pl.lit(START).dt.cast_time_unit("us") + pl.col("at") * pl.duration(milliseconds=1)
    return pl.concat(frames).sort("at").select(ts.alias("ts"), "symbol", "price", "qty", "side")


@pytest.fixture(scope="session")
def few_trades() -> pl.DataFrame:
    """A few hundred trades of two hours."""
    return made_up_trades(2, 50, pump=False)


@pytest.fixture(scope="session")
def pump_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled data set of 22 hours with a pump in market B after 20."""
    folder = tmp_path_factory.mktemp("sets") / "made-up"
    folder.mkdir()
    made_up_trades(HOURS, 180, pump=True).write_parquet(folder / "events.parquet")
    (folder / "meta.json").write_text(
        json.dumps({"stream": "trades", "layout": "events", "entity": "symbol"})
    )
    end = PUMP + timedelta(minutes=1)
    (folder / "labels.csv").write_text(
        "entity,start,end,announced,kind\n"
        f"{PUMPED},{PUMP.isoformat()},{end.isoformat()},{PUMP.isoformat()},pump\n"
    )
    return folder


@pytest.fixture(scope="session")
def after() -> datetime:
    """A clock after all that was made up."""
    return START + timedelta(days=2)
