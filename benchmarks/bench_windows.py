"""Windows of trades against the same features written for pandas, and for Polars alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from benchmarks import peers_pandas, peers_polars
from benchmarks.harness import Result, compare
from benchmarks.memory import peak_mb
from benchmarks.trades import trades
from features.extract import extract
from features.trading import SYMBOL_1M

__all__ = ["difference", "run"]

COUNT = 5_000_000
QUICK = 20_000


def run(quick: bool = False) -> list[Result]:
    """Compute ``trades.symbol_1m`` from 5 million trades in memory (20,000 if quick).

    Each side gets the trades in its own natural form. The peers rely on the order of arrival,
    ours checks it. Peak memory is measured unless quick.
    """
    events = trades(QUICK if quick else COUNT)
    for_pandas, for_polars = peers_pandas.prepare(events), peers_polars.prepare(events)
    results = [
        _compare("windows.trades", f"pandas {pd.__version__}", events,
                 lambda: peers_pandas.windows(for_pandas)),
        _compare("windows.trades.polars", f"Polars {pl.__version__}, one query", events,
                 lambda: peers_polars.windows(for_polars)),
    ]  # fmt: skip
    if not quick:
        with tempfile.TemporaryDirectory() as folder:
            files = {side: Path(folder, side) for side in ("ours", "pandas", "polars")}
            events.write_ipc(files["ours"])
            for_pandas.to_feather(files["pandas"])
            for_polars.write_ipc(files["polars"])
            del events, for_pandas, for_polars
            peaks = {side: peak_mb(side, file) for side, file in files.items()}
        for result, peer in zip(results, ("pandas", "polars"), strict=True):
            result["ours_peak_mb"], result["peer_peak_mb"] = peaks["ours"], peaks[peer]
    return results


def _compare(name: str, peer_name: str, events: pl.DataFrame, peer: Callable[[], Any]) -> Result:
    return compare(
        name,
        lambda: extract(SYMBOL_1M, events),
        peer,
        peer_name,
        "trades/s",
        difference(extract(SYMBOL_1M, events), peer()),
        rows=len(events),
        repeats=5,
    )


def difference(ours: pl.DataFrame, peer: pl.DataFrame | pd.DataFrame) -> float:
    """Largest difference of any feature in any window, relative where values exceed 1.

    Infinite where the windows are others, or where a feature is undefined on one side only.
    """
    if isinstance(peer, pd.DataFrame):
        peer = pl.from_pandas(peer)
    keys = pl.struct("entity", pl.col("start").dt.epoch("us"))
    if not ours.select(keys).equals(peer.select(keys)):
        return float("inf")
    a, b = (w.select(SYMBOL_1M.names).cast(pl.Float64).to_numpy() for w in (ours, peer))
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    return float(np.nanmax(np.abs(a - b) / np.maximum(1, np.abs(a))))
