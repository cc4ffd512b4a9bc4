"""A loop that is killed with -9 at random instants, and how its remains are compared."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import sqlite3
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from pipeline.lake import Lake
from tests.streams import AFTER, loop_of, sources_of

__all__ = ["assert_same", "follow_topic", "kill_until_done", "replay", "timed"]


def replay(home: Path, events: Path, batch: int) -> None:
    """Read all events to their end, from wherever an earlier process stopped."""
    loop = loop_of(home, sources_of(events, batch))
    loop.replay(AFTER)
    loop.close()


def _context() -> ForkServerContext:
    # The processes to kill are forked from one that has imported everything.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash", "sklearn.ensemble"])
    return context


def kill_until_done(
    home: Path,
    events: Path,
    batch: int,
    *,
    kills: int,
    seconds: float,
    seed: int,
) -> int:
    """Run `replay` in processes that are killed; the last one may finish.

    Parameters
    ----------
    kills : int
        How many processes are killed at most.
    seconds : float
        Each lives for a random part of this.

    Returns
    -------
    int
        Processes killed before the work was done.
    """
    chance, context = random.Random(seed), _context()
    for kill in range(kills + 1):
        process = context.Process(target=replay, args=(home, events, batch))
        process.start()
        process.join(None if kill == kills else chance.uniform(0.0, seconds))
        if process.exitcode is None:
            process.kill()
            process.join()
        elif process.exitcode == 0:
            return kill
        else:
            raise AssertionError(f"the loop ended with {process.exitcode}")
    raise AssertionError("not reached: the last process is not killed")


def assert_same(home: Path, undisturbed: Path) -> None:
    """Lake, scores, what was put aside, checkpoint and scorers: row for row, bit for bit."""
    ours, theirs = Lake(home / "lake"), Lake(undisturbed / "lake")
    assert ours.tables() == theirs.tables()
    for table in ours.tables():
        frames = [_rows(lake, table) for lake in (ours, theirs)]
        assert_frame_equal(*frames, check_exact=True)
    assert _database(home / "store.db") == _database(undisturbed / "store.db")
    for folder in ("stream", "snapshots"):
        assert _files(home / folder) == _files(undisturbed / folder)


def _rows(lake: Lake, table: str) -> pl.DataFrame:
    found = lake.scan(table).collect()
    return found.select(sorted(found.columns)).sort(sorted(found.columns))


def _database(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(file) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for (name,) in names.fetchall()
        }


def _files(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def timed(home: Path, events: Path, batch: int) -> float:
    """Run `replay` undisturbed in a process of its own; how many seconds it took."""
    # The first process waits until everything is imported.
    first = _context().Process(target=print)
    first.start()
    first.join()
    process = _context().Process(target=replay, args=(home, events, batch))
    began = time.perf_counter()
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.perf_counter() - began


def follow_topic(home: Path, address: str, topic: str, count: int) -> None:
    """Follow two partitions of a topic until so many rows were read, then close all windows."""
    from features.trading import SYMBOL_5S, TRADES
    from pipeline.sources.kafka import KafkaSource

    sources = [
        KafkaSource(f"k.{n}", TRADES, topic, n, {"bootstrap.servers": address}, batch=20)
        for n in (0, 1)
    ]
    loop = loop_of(home, sources, views=[SYMBOL_5S])
    while sum(s.given for s in loop.checkpoint.state().sources.values()) < count:
        loop.step(AFTER)
    loop.replay(AFTER)
    loop.close()
