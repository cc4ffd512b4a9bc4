"""Writers that race or are killed leave every append in the lake whole, and once.

Run as a script, this file is such a writer.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from pipeline.lake import Lake

ROOT = Path(__file__).parents[3]
VIEW = "trades.symbol_5s"
HOURS = 20
Writer = subprocess.Popen[str]


def batch(number: int, writer: str = "w") -> pl.DataFrame:
    """Windows around midnight: two files in one commit."""
    midnight = datetime(2024, 5, 2, tzinfo=UTC) + timedelta(seconds=number)
    start = pl.Series([midnight + timedelta(hours=h) for h in range(-HOURS, HOURS)])
    return pl.DataFrame(
        {
            "entity": pl.repeat(writer, 2 * HOURS, eager=True),
            "start": start.cast(pl.Datetime("us", "UTC")),
            "end": (start + timedelta(hours=1)).cast(pl.Datetime("us", "UTC")),
            "number": pl.repeat(float(number), 2 * HOURS, eager=True),
        }
    )


def batches(*numbers: int, writer: str = "w") -> pl.DataFrame:
    return pl.concat(batch(number, writer) for number in numbers).sort("start", "entity")


def write(root: str, application: str, writer: str, first: str, last: str) -> None:
    lake = Lake(root, compact_every=7)
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(first), int(last)):
        written = lake.append(VIEW, batch(number, writer), (application, number))
        print(number, int(written), flush=True)


def start(lake: Lake, application: str, writer: str, first: int, last: int) -> Writer:
    """A process that waits, ready to append batches, for a line."""
    arguments = [str(lake.root), application, writer, str(first), str(last)]
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(*writers: Writer, kill_after: float | None = None) -> list[tuple[int, int]]:
    """Let the writers go, kill them with -9 after some seconds; their (number, written)."""
    done = []
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        try:
            said, _ = writer.communicate(timeout=kill_after)
            assert writer.returncode == 0
        except subprocess.TimeoutExpired:
            writer.kill()
            said, _ = writer.communicate()
        # A line that the kill cut short was not said.
        words = [line.split() for line in said.split("\n")[:-1]]
        done += [(int(number), int(written)) for number, written in words]
    return done


def seconds(lake: Lake, count: int) -> float:
    """How long so many appends take a writer that nobody kills."""
    process = start(lake, "loop", "w", 0, count)
    begun = time.monotonic()
    finish(process)
    return time.monotonic() - begun


@pytest.mark.parametrize("kills", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_a_killed_writer_loses_nothing_halves_nothing_doubles_nothing(
    tmp_path: Path, kills: int
) -> None:
    lake = Lake(tmp_path / "lake")
    longest = seconds(Lake(tmp_path / "undisturbed"), 15)
    chance = random.Random(1)
    said = 0
    for _ in range(kills):
        # Like a loop whose checkpoint is a few batches behind the lake.
        process = start(lake, "loop", "w", max(0, said - 3), 10**6)
        done = finish(process, kill_after=chance.uniform(0.0, longest))
        said = max([said, *(number + 1 for number, _ in done)])
        if lake.views():
            found = lake.windows(VIEW)
            there = len(found) // (2 * HOURS)
            # One more may be committed than was said.
            assert there in (said, said + 1)
            assert_frame_equal(found, batches(*range(there)) if there else batch(0).clear())
    assert said
    last = finish(start(lake, "loop", "w", max(0, said - 3), said + 5))
    assert [number for number, written in last if not written][:3] == list(
        range(max(0, said - 3), said)
    )
    assert_frame_equal(lake.windows(VIEW), batches(*range(said + 5)))

    lake.vacuum(VIEW, timedelta(0))
    table = lake.root / "windows" / VIEW
    assert len(list(table.rglob("date=*/*.parquet"))) == len(DeltaTable(table).file_uris())
    assert_frame_equal(lake.windows(VIEW), batches(*range(said + 5)))


def test_writers_at_the_same_time_all_arrive(tmp_path: Path) -> None:
    lake, each = Lake(tmp_path / "lake"), 12
    names = ["a", "b", "c"]
    finish(*[start(lake, name, name, 0, each) for name in names])
    wanted = pl.concat(batches(*range(each), writer=name) for name in names)
    assert_frame_equal(lake.windows(VIEW), wanted.sort("start", "entity"))


def test_two_writers_of_the_same_transactions_write_each_once(tmp_path: Path) -> None:
    lake, each = Lake(tmp_path / "lake"), 20
    done = finish(*[start(lake, "loop", "w", 0, each) for _ in range(2)])
    assert sorted(number for number, written in done if written) == list(range(each))
    assert_frame_equal(lake.windows(VIEW), batches(*range(each)))


if __name__ == "__main__":
    write(*sys.argv[1:])
