"""Nodes for tests: one in the process, and anvil where it is installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from pipeline.simulate.chain import anvil
from pipeline.simulate.chain.anvil import Anvil
from pipeline.simulate.chain.ledger import ETHER, Ledger
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.source import Position

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 12, 31, tzinfo=UTC)


def node() -> EthTesterNode:
    return EthTesterNode(round(START.timestamp()))


def world(on: Any = None, *, seed: int = 1) -> World:
    made = World(on or node(), seed=seed, start=START)
    made.deploy()
    return made


def absent(what: str, how: str) -> None:
    """Skip a newcomer's test with the reason; in CI what is absent is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not there; CI must run this test: {how}")
    pytest.skip(f"{what} is not there: {how}")


@contextmanager
def running_anvil() -> Iterator[Anvil]:
    program = anvil.find()
    if program is None:
        absent("anvil", "npm install @foundry-rs/anvil, and set ANVIL to node_modules/.bin/anvil")
    assert program is not None
    with anvil.run(program, round(START.timestamp())) as started:
        yield started


def pay(ledger: Ledger, blocks: int = 1, each: int = 2) -> None:
    """Mine blocks with a few payments each: a chain without contracts."""
    for _ in range(blocks):
        for _ in range(each):
            to = f"0x{ledger.faucet.nonce % 5 + 0x7000:040x}"
            ledger.send(ledger.faucet, to, value=ETHER * (1 + ledger.faucet.nonce))
        ledger.mine()


def everything(source: ChainSource, position: Position | None = None) -> pl.DataFrame:
    """All rows that the source gives now."""
    frames = [source.stream.empty]
    while batch := source.read(position):
        position = batch.position
        frames.append(batch.events)
    return pl.concat(frames)


def rows(chain: Chain, stream: Any) -> pl.DataFrame:
    return everything(ChainSource(chain, stream))
