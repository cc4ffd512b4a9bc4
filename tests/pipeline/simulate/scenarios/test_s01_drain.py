"""The vault is really drained at the time told, by an address funded from the mixer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.s01_drain import SCENARIO

pytest.importorskip("eth_tester")

START = datetime(2026, 3, 2, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def world_and_platform():
    from pipeline.simulate.chain.node import EthTesterNode
    from pipeline.simulate.chain.world import World

    node = EthTesterNode(round((START - timedelta(hours=2)).timestamp()))
    world = World(node, seed=1, start=START - timedelta(hours=2), every=EVERY)
    world.deploy()
    assert world.ledger.now <= START
    platform = Platform(1, START, pairs=PAIRS[-1:], activity=0.02, chain=world)
    return world, platform


def held(world, name: str) -> int:
    return world.ledger.balance(world.contracts[name].address)


def test_the_unsafe_vault_loses_its_share_in_the_stage_that_is_told() -> None:
    world, platform = world_and_platform()
    truth = SCENARIO.play(platform, START + timedelta(minutes=10), "attack", strength=1.0)
    stages = {row["stage"]: row for row in truth.iter_rows(named=True)}
    attacker = stages["drain"]["entity"]
    platform.advance(stages["preparation"]["start"])
    assert world.ledger.balance(world.wallets["operator"].address)
    before = held(world, "unsafe_vault")
    bridge = held(world, "bridge")
    platform.advance(stages["drain"]["start"])
    platform.advance(stages["drain"]["start"] + 4 * EVERY)
    assert held(world, "unsafe_vault") < 0.85 * before
    platform.advance(stages["escape"]["end"] + 6 * EVERY)
    assert held(world, "bridge") > bridge + 0.1 * before
    assert attacker


def test_the_arbitrage_and_the_whale_take_nothing_that_is_not_theirs() -> None:
    world, platform = world_and_platform()
    SCENARIO.play(platform, START + timedelta(minutes=10), "decoy", strength=1.0)
    vault, unsafe = held(world, "vault"), held(world, "unsafe_vault")
    platform.advance(START + timedelta(minutes=100))
    assert held(world, "vault") < vault - 400 * 10**18
    assert held(world, "unsafe_vault") > 0.8 * unsafe
    contract = world.contracts["vault"]
    assert world.ledger.ask(contract, "liabilities") <= held(world, "vault")
