"""Batch is stream: what a live loop leaves in the lake is what a backfill of its events leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, cycle
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.calls import CALLS
from features.catalogue import STREAMS, VIEWS
from features.transactions import TRANSACTIONS
from pipeline.backfill import backfill
from pipeline.config import Config
from pipeline.lake import Lake
from pipeline.lake.schema import ASIDE
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import STREAMS as OFF_CHAIN
from pipeline.simulate.platform import Platform
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.kinds import build
from pipeline.stream.live import loop_of
from tests.pipeline.simulate.chain.nodes import everything

START = datetime(2026, 3, 2, tzinfo=UTC)
WRITERS = (
    lambda frame, file: frame.write_parquet(file.with_suffix(".parquet"), row_group_size=5_000),
    lambda frame, file: frame.write_ndjson(file.with_suffix(".jsonl")),
    lambda frame, file: frame.write_csv(file.with_suffix(".csv"), datetime_format="%+"),
)


@dataclass(frozen=True)
class Life:
    """How long a platform lives, in slices of which length, how busy, with how many blocks."""

    lasts: timedelta
    slices: Sequence[float]
    activity: float
    block: timedelta

    def times(self) -> Iterator[datetime]:
        """The ends of the slices."""
        for seconds in accumulate(cycle(self.slices)):
            yield min(START + timedelta(seconds=seconds), START + self.lasts)
            if timedelta(seconds=seconds) >= self.lasts:
                return


# Slices of seconds leave streams idle between samples, blocks and trades.
HALF_HOUR = Life(timedelta(minutes=30), (600, 20, 35, 50, 1_500), 0.04, timedelta(minutes=1))
DAY = Life(timedelta(days=1), (1_800, 40, 3_600, 5, 90, 7_200), 0.1, timedelta(minutes=1))


def chain_of(world: World) -> list[ChainSource]:
    """A follower of a chain, from its first block."""
    chain = Chain(Rpc([world.ledger.node]), watched=world.watched)
    return [ChainSource(chain, stream) for stream in (TRANSACTIONS, CALLS)]


def live(home: Path, events: Path, life: Life) -> Lake:
    """Live with a loop that follows, and leave the events in a folder for each stream."""
    every = life.block
    world = World(EthTesterNode(round((START - 20 * every).timestamp())), seed=1,
                  start=START - 20 * every, every=every)  # fmt: skip
    world.deploy()
    platform = Platform(1, START, pairs=PAIRS[:1], activity=life.activity, chain=world)
    pushes = [{"kind": "push", "name": name, "stream": name} for name in OFF_CHAIN]
    config = Config.model_validate({"home": home, "sources": pushes})
    now = START
    built = build(config, lambda: now)
    built.sources += chain_of(world)
    loop = loop_of(config, built)
    for number, now in enumerate(life.times()):
        for name, rows in platform.advance(now).items():
            built.spools[name].append(rows)
            write(events, name, number, rows)
        while loop.step(now):
            pass
    loop.replay(now)
    loop.close()
    loop.checkpoint.close()
    for source in chain_of(world):
        write(events, source.stream.name, 0, everything(source))
    return loop.lake


def write(folder: Path, name: str, number: int, rows: pl.DataFrame) -> None:
    """A file of a stream; each stream has one of the formats."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    if len(rows):
        WRITERS[list(STREAMS).index(name) % 3](rows, folder / name / f"{number:05}")


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(HALF_HOUR, id="half an hour"),
        pytest.param(DAY, id="day", marks=pytest.mark.slow),
    ],
)
def test_the_lake_of_a_live_run_is_that_of_a_backfill(tmp_path: Path, life: Life) -> None:
    streamed = live(tmp_path / "home", tmp_path / "events", life)
    filled = Lake(tmp_path / "filled")
    now = START + life.lasts
    for view in VIEWS.values():
        told = backfill(view, [tmp_path / "events" / view.stream.name], filled, now=now)
        ours, theirs = (lake.windows(view.name).select(*view.schema) for lake in (filled, streamed))
        assert told.kept.added == len(ours) > 0, view.name
        # The clock went on after the last event of a stream: there is silence, and nothing else.
        after = pl.col("start") > ours["start"].max()
        assert_frame_equal(theirs.filter(~after), ours, rel_tol=1e-9, abs_tol=1e-9)
        assert (theirs.filter(after)["silence"] >= view.every.total_seconds()).all(), view.name
        assert told.accepted == told.given
    assert not any(
        table.startswith(ASIDE) for lake in (filled, streamed) for table in lake.tables()
    )
