"""The demonstration's chain: followed block by block, paused by playbooks, resumed by people."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from serving.demo_chain import BLOCK, DemoChain

pytest.importorskip("eth_tester")

START = datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.fixture
def chain(tmp_path: Path) -> DemoChain:
    return DemoChain(0, START, tmp_path)


def test_each_block_is_told_once_in_the_time_of_the_platform(chain: DemoChain) -> None:
    assert chain.world.ledger.now <= START
    platform = Platform(0, START, pairs=PAIRS[-1:], activity=0.02, chain=chain.world)
    first = chain.events()["transactions"]
    assert chain.events() == {}
    platform.advance(START + 10 * BLOCK)
    told = chain.events()
    assert told["transactions"]["ts"].min() > first["ts"].max()
    assert told["transactions"]["ts"].max() <= START + 11 * BLOCK
    assert len(told["calls"])


def test_what_a_playbook_sends_is_mined_and_whose_key_it_was_can_go_on(chain: DemoChain) -> None:
    world = chain.world
    vault, operator = world.contracts["unsafe_vault"], world.wallets["operator"]
    before = operator.nonce
    # As a playbook does: with the key, past the world's own count.
    world.ledger.send(operator, vault, "lower_limit", 10**18)
    operator.nonce = before
    world.ledger.send(world.wallets["guardian"], vault, "pause")
    chain.settle()
    assert world.ledger.ask(vault, "paused")
    assert operator.nonce == before + 1
    chain.resume()
    assert not world.ledger.ask(vault, "paused")
    newest = world.ledger.now
    chain.settle()
    assert world.ledger.now == newest
    assert set(chain.services) == {"chain", "platform"}
