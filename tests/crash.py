"""A loop that is killed with -9 at random instants, and how its remains are compared."""

from __future__ import annotations

import hashlib
import multiprocessing
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from multiprocessing.context import ForkServerContext
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal

from pipeline.lake import Lake
from pipeline.stream.loop import FAILURES
from pipeline.stream.options import Options
from tests.streams import AFTER, loop_of, sources_of

__all__ = [
    "assert_same",
    "follow_topic",
    "full_disk",
    "kill_until_done",
    "kills",
    "replay",
    "replay_on_a_full_disk",
    "replay_with_a_locked_database",
    "timed",
]


OPTIONS = Options(snapshot_every=timedelta(hours=6))


def replay(home: Path, events: Path, batch: int) -> None:
    """Read all events to their end, from wherever an earlier process stopped."""
    loop = loop_of(home, sources_of(events, batch), options=OPTIONS)
    loop.replay(AFTER)
    loop.close()


@contextmanager
def full_disk(room: int = 100) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def _on_a_full_disk(home: Path, events: Path, batch: int) -> None:
    loop = loop_of(home, sources_of(events, batch), options=OPTIONS)
    # At the first write, in the lake, and where a scorer is written.
    for room in (0, 2_000, 200_000):
        with full_disk(room):
            try:
                while loop.step(AFTER):
                    pass
            except FAILURES:
                continue
            raise AssertionError(f"with {room} bytes for a file nothing failed")
    loop.step(AFTER)
    loop.close()


def replay_on_a_full_disk(home: Path, events: Path, batch: int) -> None:
    """Steps in a process whose disk is full three times, and one when it is not any more."""
    process = _context().Process(target=_on_a_full_disk, args=(home, events, batch))
    process.start()
    process.join()
    assert process.exitcode == 0


def replay_with_a_locked_database(home: Path, events: Path, batch: int, seconds: float) -> None:
    """Begin a process while another holds the database for so long: it waits, and then goes on."""
    with closing(sqlite3.connect(home / "store.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        process = _context().Process(target=replay, args=(home, events, batch))
        process.start()
        process.join(seconds)
        assert process.exitcode is None
        before = _steps(holder)
        holder.execute("COMMIT")
        while process.is_alive() and _steps(holder) == before:
            process.join(0.05)
        assert _steps(holder) > before
    process.kill()
    process.join()


def _steps(database: sqlite3.Connection) -> int:
    (steps,) = database.execute("SELECT step FROM loop").fetchone()
    return int(steps)


def _context() -> ForkServerContext:
    # The processes to kill are forked from one that has imported everything.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash", "sklearn.ensemble"])
    return context


def kills(
    home: Path, events: Path, batch: int, *, most: int, seconds: float, chance: random.Random
) -> Iterator[None]:
    """Run `replay` in processes, each killed after a random part of so many seconds.

    Gives once for each that was killed; ends before ``most`` where one has done all the work.
    """
    for _ in range(most):
        process = _context().Process(target=replay, args=(home, events, batch))
        process.start()
        process.join(chance.uniform(0.0, seconds))
        if process.exitcode is None:
            process.kill()
            process.join()
            yield
        elif process.exitcode == 0:
            return
        else:
            raise AssertionError(f"the loop ended with {process.exitcode}")


def kill_until_done(
    home: Path, events: Path, batch: int, *, most: int, seconds: float, seed: int
) -> int:
    """As `kills`, and then to the end; how many were killed."""
    chance = random.Random(seed)
    killed = sum(1 for _ in kills(home, events, batch, most=most, seconds=seconds, chance=chance))
    timed(home, events, batch)
    return killed


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
    with closing(sqlite3.connect(file)) as connection:
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
    """Run `replay` to its end in a process of its own; how many seconds it took."""
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
    from pipeline.sources.kafka import KafkaTopic

    source = KafkaTopic("k", TRADES, topic, {"bootstrap.servers": address}, batch=20)
    loop = loop_of(home, [source], views=[SYMBOL_5S])
    while sum(s.given for s in loop.checkpoint.state().sources.values()) < count:
        loop.step(AFTER)
    loop.replay(AFTER)
    loop.close()
