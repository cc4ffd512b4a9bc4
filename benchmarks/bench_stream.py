"""The live stream: small batches through the Windower, against pandas on the same batches."""

from __future__ import annotations

import pandas as pd
import polars as pl

from benchmarks import peers_pandas
from benchmarks.bench_windows import difference
from benchmarks.harness import Result, compare
from benchmarks.trades import trades
from features.trading import SYMBOL_1M
from features.windows import Closed, Windower

__all__ = ["run"]

BATCH = 5_000
BATCHES = 20


def run(quick: bool = False) -> list[Result]:
    """Push 20 batches (3 if quick) of 5,000 trades, a minute or two each.

    The peer forgets each batch, so that its windows end with it; parity is of all at once.
    """
    batches = 3 if quick else BATCHES
    events = trades(batches * BATCH, per_day=5_000_000)
    parts = [(part, part["ts"].max()) for part in events.iter_slices(BATCH)]
    for_pandas = [peers_pandas.prepare(part) for part, _ in parts]

    def push() -> pl.DataFrame:
        windower = Windower(SYMBOL_1M)
        closed: list[Closed] = [windower.push(part, now) for part, now in parts]
        return pl.concat(c.windows for c in (*closed, windower.flush()))

    busy = push().filter(pl.col("count") > 0)
    return [
        compare(
            "stream.micro_batch",
            push,
            lambda: [peers_pandas.windows(part) for part in for_pandas],
            f"pandas {pd.__version__}",
            "ms/push",
            difference(busy, peers_pandas.windows(peers_pandas.prepare(events))),
            rows=batches,
        )
    ]
