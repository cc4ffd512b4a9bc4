"""The whole loop: files of trades in, scored windows in the lake, against a composition of peers.

``python -m benchmarks.bench_stream_loop FILE`` replays a Parquet file and prints the peak of the
process in megabytes: memory is flat when it does not grow with the file.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path

import pandas as pd
import polars as pl
import sklearn

from benchmarks import peers_pandas
from benchmarks.bench_windows import difference
from benchmarks.harness import Result, compare
from benchmarks.memory import _peak_mb
from benchmarks.trades import DAY, trades
from features.silence import batch_windows
from features.trading import SYMBOL_1M as VIEW
from features.trading import TRADES
from pipeline.database import open_engine
from pipeline.lake import Lake
from pipeline.scoring.scorer import Scorer
from pipeline.sources.files import FileSource
from pipeline.stream.adopt import from_files
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.loop import Loop

__all__ = ["replay", "run"]

COUNT, PER_DAY = 2_000_000, 10_000_000
PEER_COUNT = 20_000
BATCH = 250_000
NOW = DAY + timedelta(days=30)


def run(quick: bool = False) -> list[Result]:
    """Events/s of 2 million trades (100,000 if quick) of a day with 10 million, 50 symbols.

    The model has learned before. The peer computes the same windows with pandas and the same arms
    with scikit-learn and River, a window at a time as they close, on 20,000 trades; what the arms
    see is given to it. Parity is of the windows.
    """
    rows = 100_000 if quick else COUNT
    events = trades(rows, per_day=PER_DAY)
    few = events[:PEER_COUNT]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        windows = batch_windows(VIEW, events)
        model = home / "model.npz"
        scorer = Scorer(VIEW)
        for day in (3, 2, 1):
            scorer.step(windows.with_columns(pl.col("start", "end") - timedelta(days=day)))
        scorer.save(model)
        peer = _peer(model, few)
        turns = count()
        results = []
        for name, ending in (("stream.trades", "parquet"), ("stream.json", "jsonl")):
            ours, theirs = home / f"all.{ending}", home / f"few.{ending}"
            _write(events, ours)
            _write(few, theirs)
            replay(ours, home / f"check-{ending}", model)
            lake = Lake(home / f"check-{ending}" / "lake")
            busy = lake.windows(VIEW.name).filter(pl.col("count") > 0)
            parity = difference(busy, peers_pandas.windows(peers_pandas.prepare(events)))
            results.append(
                compare(
                    name,
                    lambda ours=ours: _again(ours, home / f"run-{next(turns)}", model),
                    lambda theirs=theirs: peer(theirs),
                    f"pandas {pd.__version__}, scikit-learn {sklearn.__version__} and river",
                    "events/s",
                    parity,
                    rows=rows,
                    peer_rows=PEER_COUNT,
                    repeats=5,
                )
            )
    return results


def replay(file: Path, home: Path, model: Path | None = None) -> int:
    """Replay a file of trades into a lake; the steps it took."""
    home.mkdir(parents=True, exist_ok=True)
    loop = Loop(
        [FileSource("trades", TRADES, file, follow=False, batch=BATCH)],
        [VIEW],
        lake=Lake(home / "lake"),
        checkpoint=Checkpoint(open_engine(f"sqlite:///{home}/store.db")),
        home=home,
        models=from_files(lambda view: model or home / "none.npz"),
    )
    try:
        return loop.replay(NOW)
    finally:
        loop.close()
        loop.checkpoint.engine.dispose()


def _again(file: Path, home: Path, model: Path) -> None:
    replay(file, home, model)
    shutil.rmtree(home)


def _write(events: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".parquet":
        events.write_parquet(path, row_group_size=BATCH)
    else:
        events.write_ndjson(path)


def _peer(model: Path, few: pl.DataFrame) -> Callable[[Path], object]:
    from benchmarks.bench_score import RowByRow

    scorer = Scorer.load(VIEW, model)
    arms = RowByRow(Scorer.load(VIEW, model))
    windows = batch_windows(VIEW, few)
    scorer.step(windows)
    seen = scorer.guard.rows[-len(windows) :, : scorer.width].tolist()
    turns = count()

    def once(file: Path) -> object:
        frame = (
            pl.read_parquet(file)
            if file.suffix == ".parquet"
            else pl.from_pandas(pd.read_json(file, lines=True, convert_dates=["ts"]))
        )
        if frame.schema["ts"] != few.schema["ts"]:
            frame = frame.with_columns(pl.col("ts").cast(few.schema["ts"]))
        found = peers_pandas.windows(peers_pandas.prepare(frame))
        return found, [arms.step(row, next(turns)) for row in seen]

    return once


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        replay(Path(sys.argv[1]), Path(made))
    print(_peak_mb())
