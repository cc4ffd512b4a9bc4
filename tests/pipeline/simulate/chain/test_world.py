"""Normal life on the chain: seeded, and no invariant breaks in it."""

from __future__ import annotations

import polars as pl
import pytest

from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain
from pipeline.sources.chain_rpc import Rpc
from tests.pipeline.simulate.chain.nodes import rows, world


@pytest.fixture(scope="module")
def living() -> World:
    made = world()
    made.act(25)
    return made


def last(of: World) -> str:
    return str(of.ledger.request("eth_getBlockByNumber", "latest", False)["hash"])


def test_the_same_seed_is_the_same_life_and_another_is_another(living: World) -> None:
    again, other = world(), world(seed=2)
    again.act(25)
    other.act(25)
    assert last(again) == last(living) != last(other)


def test_vaults_hold_what_they_owe_and_the_market_what_it_says(living: World) -> None:
    ledger, of = living.ledger, living.contracts
    for name in ("vault", "unsafe_vault"):
        assert ledger.balance(of[name].address) == ledger.ask(of[name], "liabilities") > 0
    for name in ("pool_a", "pool_b"):
        assert ledger.balance(of[name].address) == ledger.ask(of[name], "ether_reserve")
        held = ledger.ask(of["token"], "balanceOf", of[name].address)
        assert held == ledger.ask(of[name], "token_reserve")


def test_people_do_what_people_do(living: World) -> None:
    chain = Chain(Rpc([living.ledger.node]), watched=living.watched, confirmations=0)
    seen = rows(chain, TRANSACTIONS)
    assert seen["selector"].n_unique() >= 10
    assert seen["sender"].n_unique() >= 12
    lively = seen.filter(pl.col("block") > seen["block"].max() - 25)
    assert 0.9 < lively["success"].mean() <= 1  # type: ignore[operator]
    # After the move into the house nobody touches roles, owners or supply.
    assert set(lively["privileged"].drop_nulls()) <= {"other"}


def test_guardians_can_only_pause_and_operators_can_only_block(living: World) -> None:
    ledger, vault = living.ledger, living.contracts["vault"]
    guardian, operator = living.wallet("guardian"), living.wallet("operator")
    victim = living.wallet("depositor0").address
    done = {
        "pause": ledger.send(guardian, vault, "pause"),
        "guardian unpause": ledger.send(guardian, vault, "unpause"),
        "guardian block": ledger.send(guardian, vault, "block_address", victim),
        "guardian role": ledger.send(guardian, vault, "grant_role", bytes(32), victim),
        "operator pause": ledger.send(operator, vault, "pause"),
        "block": ledger.send(operator, vault, "block_address", victim),
        "operator unblock": ledger.send(operator, vault, "unblock_address", victim),
        "lower": ledger.send(operator, vault, "lower_limit", 1_600 * ETHER),
        "raise": ledger.send(operator, vault, "lower_limit", 10**30),
    }
    ledger.mine()
    worked = {name for name, sent in done.items() if ledger.receipt(sent)["status"] == "0x1"}
    assert worked == {"pause", "block", "lower"}
    stopped = ledger.send(living.wallet("depositor1"), vault, "withdraw", 1)
    ledger.mine()
    assert ledger.receipt(stopped)["status"] == "0x0"
    admin = living.wallet("admin")
    ledger.send(admin, vault, "unpause")
    ledger.mine()
    outcomes = {
        "blocked": ledger.send(living.wallet("depositor0"), vault, "withdraw", 1),
        "over the limit": ledger.send(living.wallet("whale0"), vault, "withdraw", 1_700 * ETHER),
        "fine": ledger.send(living.wallet("depositor1"), vault, "withdraw", 1),
    }
    ledger.mine()
    went = {name for name, sent in outcomes.items() if ledger.receipt(sent)["status"] == "0x1"}
    assert went == {"fine"}
