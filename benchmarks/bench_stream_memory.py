"""Memory of the whole loop after 10 and after 100 million trades: flat, or something is kept.

``python -m benchmarks.bench_stream_memory FILE MODEL LENGTH ROWS...`` replays a Parquet file of
that length again and again, each time later, with a model that has learned before, and prints
after each number of rows: rows taken, and megabytes resident now and at most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import polars as pl

from benchmarks.bench_stream_loop import NOW, PER_DAY
from benchmarks.harness import Result
from benchmarks.trades import trades
from features.silence import batch_windows
from features.stream import Stream
from features.trading import SYMBOL_1M as VIEW
from features.trading import TRADES
from pipeline.database import open_engine
from pipeline.lake import Lake
from pipeline.scoring.scorer import Scorer
from pipeline.sources.files import FileSource
from pipeline.sources.source import Batch, Position
from pipeline.stream.adopt import from_files
from pipeline.stream.checkpoint import Checkpoint
from pipeline.stream.loop import Loop

__all__ = ["Again", "run"]

COUNT = 2_000_000
BATCH = 100_000
"""Small enough that the lake is compacted, every 50 commits, before the first look as after it."""
ROUNDS, QUICK = (5, 50), (1, 2)
LEARNED = 200_000
"""Windows after which all that a scorer keeps has its full size."""
STATUS = Path("/proc/self/status")


class Again:
    """A file of trades over and over, each round later by how long the file lasts."""

    def __init__(self, file: Path, rows: int, lasts: timedelta) -> None:
        self._file = FileSource("trades", TRADES, file, follow=False, batch=BATCH)
        self._rows, self._lasts = rows, lasts

    @property
    def name(self) -> str:
        """See `pipeline.sources.source.Source`."""
        return self._file.name

    @property
    def stream(self) -> Stream:
        """See `pipeline.sources.source.Source`."""
        return self._file.stream

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """The next rows, for ever."""
        turn = position["round"] if position else 0
        batch = self._file.read(position["file"] if position else None)
        if batch is None:
            turn, batch = turn + 1, self._file.read(None)
        assert batch is not None
        events = batch.events.with_columns(
            pl.col("ts") + turn * self._lasts, pl.col("id") + turn * self._rows
        )
        return Batch(events, {"round": turn, "file": batch.position})

    def close(self) -> None:
        """See `pipeline.sources.source.Source`."""
        self._file.close()


def run(quick: bool = False) -> list[Result]:
    """Resident megabytes after 100 million trades (200,000 if quick), against 10 million.

    The largest that the process ever was counts. Its input is 2 million trades of 50 symbols, read
    again and again; its scorer has learned 200,000 windows before (not if quick), so that what it
    keeps, which is bounded, is full. ``ratio`` is that of the peaks: 0.91 is growth by 10 %.
    Parity is of the rows taken.
    """
    rows = 100_000 if quick else COUNT
    rounds = [rows * turns for turns in (QUICK if quick else ROUNDS)]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trades.parquet"
        events = trades(rows, per_day=PER_DAY)
        events.write_parquet(file, row_group_size=BATCH)
        model = Path(folder) / "model.npz"
        if not quick:
            _learned(batch_windows(VIEW, events), _lasts(rows)).save(model)
        given = [str(file), str(model), str(rows), *map(str, rounds)]
        command = [sys.executable, "-m", __name__, *given]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    (first, _, before), (last, _, after) = [map(float, line.split()) for line in told.splitlines()]
    lost = abs(first - rounds[0]) + abs(last - rounds[1])
    return [
        Result(
            name="stream.memory",
            ours=after,
            peer=before,
            peer_name=f"itself after {rounds[0]:,} of {rounds[1]:,} trades",
            unit="MB",
            ratio=before / after,
            parity=lost,
        )
    ]


def _lasts(rows: int) -> timedelta:
    return timedelta(days=1) * rows / PER_DAY


def _learned(windows: pl.DataFrame, lasts: timedelta) -> Scorer:
    """A scorer that has seen these windows in every round of the past."""
    scorer = Scorer(VIEW)
    for turn in range(LEARNED // len(windows) + 1, 0, -1):
        scorer.step(windows.with_columns(pl.col("start", "end") - turn * lasts))
    return scorer


def _measure(file: Path, model: Path, rows: int, ends: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        checkpoint = Checkpoint(open_engine(f"sqlite:///{home}/store.db"))
        loop = Loop(
            [Again(file, rows, _lasts(rows))],
            [VIEW],
            lake=Lake(home / "lake"),
            checkpoint=checkpoint,
            home=home,
            models=from_files(lambda view: model),
        )
        for end in ends:
            taken = 0
            while taken < end:
                loop.step(NOW)
                view = checkpoint.state().views[VIEW.name]
                taken = view.accepted + view.late
            print(taken, *_resident_mb(), flush=True)
        loop.close()
        checkpoint.close()


def _resident_mb() -> tuple[float, float]:
    """Megabytes of memory that this process has now, and had at most; of Linux."""
    told = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    now, most = (int(told[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


if __name__ == "__main__":
    length, *ends = map(int, sys.argv[3:])
    _measure(Path(sys.argv[1]), Path(sys.argv[2]), length, ends)
