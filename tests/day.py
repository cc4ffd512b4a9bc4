"""A day on the simulated platform, all streams and the chain's, as files: for proofs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.calls import CALLS
from features.catalogue import STREAMS
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_rpc import Rpc
from tests.streams import write_frame

__all__ = ["record"]

START = datetime(2026, 3, 2, tzinfo=UTC)
BLOCK = timedelta(minutes=5)
BEFORE = 60 * BLOCK
"""Of the chain, whose first blocks deploy its contracts."""
SHARE = 5
"""One in so many addresses that visit, so that a proof takes minutes and not hours."""


def record(folder: Path, files: int = 3) -> None:
    """Write the events of a day to a folder for each stream of the catalogue."""
    began = START - BEFORE
    world = World(EthTesterNode(round(began.timestamp())), seed=1, start=began, every=BLOCK)
    world.deploy()
    platform = Platform(1, START, pairs=PAIRS[-1:], activity=0.02, chain=world)
    day = platform.advance(START + timedelta(days=1))
    day["access"] = day["access"].filter(pl.col("ip").hash(0) % SHARE == 0)
    chain = Chain(Rpc([world.ledger.node]), watched=world.watched)
    for stream in (TRANSACTIONS, CALLS):
        day[stream.name] = _everything(ChainSource(chain, stream))
    assert day.keys() == STREAMS.keys()
    for number, (name, events) in enumerate(sorted(day.items())):
        write_frame(folder / name, events, number, files, group=5_000)


def _everything(source: ChainSource) -> pl.DataFrame:
    batch = source.read(None)
    parts = []
    while batch is not None:
        parts.append(batch.events)
        batch = source.read(batch.position)
    return pl.concat(parts)
