"""An odd login comes before the key acts; the announced upgrade waits out its two days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.s02_admin_key import SCENARIO

pytest.importorskip("eth_tester")

START = datetime(2026, 3, 2, tzinfo=UTC)


def world_and_platform(every: timedelta):
    from pipeline.simulate.chain.node import EthTesterNode
    from pipeline.simulate.chain.world import World

    begin = START - 40 * every
    world = World(EthTesterNode(round(begin.timestamp())), seed=1, start=begin, every=every)
    world.deploy()
    assert world.ledger.now <= START
    return world, Platform(1, START, pairs=PAIRS[-1:], activity=0.02, chain=world)


def test_the_login_is_from_elsewhere_and_the_key_acts_within_two_hours() -> None:
    world, platform = world_and_platform(timedelta(minutes=2))
    supply = world.ledger.ask(world.contracts["token"], "totalSupply")
    before = world.ledger.ask(world.contracts["vault"], "implementation")
    truth = SCENARIO.play(platform, START + timedelta(minutes=5), "attack", strength=1.0)
    events = platform.advance(START + timedelta(hours=2, minutes=20))
    (login,) = truth.filter(pl.col("stage") == "odd login").iter_rows(named=True)
    seen = events["access"].filter(pl.col("account") == login["entity"])
    odd = seen.filter(pl.col("ts") < login["end"])
    usual = seen.filter(pl.col("ts") >= login["end"])
    assert (odd["kind"] == "login").sum() == 1
    assert not odd["asn"].is_in(usual["asn"].implode()).any()
    granted = truth.filter(pl.col("stage") == "privilege")["start"][0]
    assert timedelta(0) < granted - login["start"] <= timedelta(hours=2)
    assert world.ledger.ask(world.contracts["token"], "totalSupply") == 3 * supply
    assert world.ledger.ask(world.contracts["vault"], "implementation") != before


@pytest.mark.slow
def test_the_announced_upgrade_happens_after_its_timelock() -> None:
    world, platform = world_and_platform(timedelta(hours=1))
    before = world.ledger.ask(world.contracts["vault"], "implementation")
    truth = SCENARIO.play(platform, START + timedelta(minutes=5), "decoy")
    done = truth.filter(pl.col("stage") == "upgrade")["start"][0]
    platform.advance(done - timedelta(hours=1))
    assert world.ledger.ask(world.contracts["vault"], "implementation") == before
    platform.advance(done + timedelta(hours=3))
    assert world.ledger.ask(world.contracts["vault"], "implementation") != before
