"""Each entity against its own past, against the same recurrence in plain numpy."""

from __future__ import annotations

import numpy as np
import polars as pl

from benchmarks.harness import Result, compare
from benchmarks.peers_numpy import deviations
from benchmarks.trades import DAY
from features.baseline import Baseline
from features.stream import TIME
from features.trading import SYMBOL_5S

__all__ = ["run"]

ENTITIES = 50
COUNT, PEER_COUNT = 200_000, 2_000
SEED = 0


def run(quick: bool = False) -> list[Result]:
    """Deviations of 200,000 windows of ``trades.symbol_5s`` (2,000 if quick), state empty before.

    The peer gets fewer windows, scaled to the same unit: it has no large batches to gain from.
    """
    count = PEER_COUNT if quick else COUNT
    windows = _windows(count)
    few = windows.head(PEER_COUNT)
    entity, start = few["entity"].to_list(), few["start"].to_physical().to_numpy()
    values = few.select(SYMBOL_5S.names).to_numpy()
    z = deviations(SYMBOL_5S, entity, start, values)
    return [
        compare(
            "baseline.windows",
            lambda: Baseline(SYMBOL_5S).update(windows),
            lambda: deviations(SYMBOL_5S, entity, start, values),
            f"numpy {np.__version__}, a row at a time",
            "windows/s",
            float(np.abs(Baseline(SYMBOL_5S).update(few).z - z).max()),
            rows=count,
            peer_rows=PEER_COUNT,
        )
    ]


def _windows(count: int) -> pl.DataFrame:
    """Windows of every entity one after another; values are lognormal, some are 0."""
    rng = np.random.default_rng(SEED)
    values = rng.lognormal(size=(count, len(SYMBOL_5S.names)))
    values[rng.random(values.shape) < 0.1] = 0.0
    number = pl.int_range(count, eager=True)
    return pl.DataFrame(values, schema=SYMBOL_5S.names).with_columns(
        ("S" + (number % ENTITIES).cast(pl.String)).alias("entity"),
        (pl.lit(DAY).cast(TIME) + SYMBOL_5S.every * (number // ENTITIES)).alias("start"),
    )
