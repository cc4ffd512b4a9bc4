"""Attacks do what they say, their twins do not, and the defences stop what they should."""

from __future__ import annotations

from itertools import count

import pytest

from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.attacks import Move
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from tests.pipeline.simulate.chain.nodes import START, world

NAMES = count()


@pytest.fixture(scope="module")
def living() -> World:
    """One world for all: every attack has an attacker of its own."""
    return world()


def worked(of: World, move: Move) -> bool:
    assert START < move.start <= move.end <= of.ledger.now
    assert all(name.startswith("0x") and len(name) == 42 for name in move.entities)
    return all(of.ledger.receipt(sent)["status"] == "0x1" for sent in move.transactions)


def held(of: World, name: str) -> int:
    return of.ledger.balance(of.contracts[name].address)


def prepared(of: World) -> attacks.Drain:
    drain = attacks.Drain(of, f"attacker {next(NAMES)}")
    assert worked(of, drain.fund())
    assert worked(of, drain.prepare())
    return drain


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_drain_takes_its_share_and_leaves_the_vault_owing(living: World, share: float) -> None:
    drain = prepared(living)
    before, lender = held(living, "unsafe_vault"), held(living, "lender")
    assert worked(living, drain.strike(share))
    assert held(living, "unsafe_vault") == pytest.approx((1 - share) * before, rel=1e-12)
    owed = living.ledger.ask(living.contracts["unsafe_vault"], "liabilities")
    assert owed >= before > held(living, "unsafe_vault")
    assert held(living, "lender") > lender  # the flash loan was paid back, with its fee
    assert living.ledger.balance(drain.attacker.address) > 0.99 * share * before
    bridged = held(living, "bridge")
    assert worked(living, drain.escape())
    assert held(living, "bridge") - bridged > 0.98 * share * before


def test_a_pause_before_the_attack_loses_nothing(living: World) -> None:
    drain = prepared(living)
    before = held(living, "unsafe_vault")
    attack = drain.send()
    guardian, vault = living.wallet("guardian"), living.contracts["unsafe_vault"]
    pause = living.ledger.send(guardian, vault, "pause", tip=5 * 10**9)
    living.ledger.mine()
    first, second = (living.ledger.receipt(sent) for sent in (pause, attack))
    assert (first["transactionIndex"], first["status"]) == ("0x0", "0x1")
    assert (second["transactionIndex"], second["status"]) == ("0x1", "0x0")
    assert held(living, "unsafe_vault") == before
    living.ledger.send(living.wallet("admin"), vault, "unpause")
    living.ledger.mine()


def test_a_blocked_contract_stays_out_after_the_pause_ends(living: World) -> None:
    drain = prepared(living)
    drain.strike(0.1)
    assert drain.contract is not None
    vault, send = living.contracts["unsafe_vault"], living.ledger.send
    send(living.wallet("operator"), vault, "block_address", drain.contract.address)
    left = held(living, "unsafe_vault")
    living.ledger.mine()
    assert not worked(living, drain.strike(0.1))
    assert held(living, "unsafe_vault") == left


def test_the_safe_vault_has_no_such_hole(living: World) -> None:
    attacker = prepared(living).attacker
    lender, vault = living.contracts["lender"], living.contracts["vault"]
    contract = living.ledger.deploy(attacker, "Attacker", lender, vault)
    before = held(living, "vault")
    sent = living.ledger.send(attacker, contract, "attack", ETHER, 5, gas=3_000_000)
    living.ledger.mine()
    assert living.ledger.receipt(sent)["status"] == "0x0"
    assert held(living, "vault") == before


def test_a_stolen_key_grants_upgrades_and_mints(living: World) -> None:
    theft = attacks.AdminTheft(living)
    supply = living.ledger.ask(living.contracts["token"], "totalSupply")
    moves = [theft.grant(), theft.upgrade(), theft.mint(2)]
    assert all(worked(living, move) for move in moves)
    assert [move.stage for move in moves] == ["privilege", "upgrade", "mint"]
    assert living.ledger.ask(living.contracts["token"], "totalSupply") == 3 * supply


def test_the_twins_break_nothing(living: World) -> None:
    moves = [
        attacks.arbitrage(living),
        attacks.whale_withdrawal(living),
        attacks.announced_upgrade(living),
    ]
    assert all(worked(living, move) and move.stage == "benign" for move in moves)
    vault = living.contracts["vault"]
    assert held(living, "vault") == living.ledger.ask(vault, "liabilities")
    earned = living.ledger.balance(living.wallet("arbitrageur").address)
    assert earned > 1_000 * ETHER  # more than it began with, after fees


def test_the_timelock_cannot_be_hurried(living: World) -> None:
    admin, vault = living.wallet("admin"), living.contracts["vault"]
    somewhere = living.wallet("whale0").address
    living.ledger.send(admin, vault, "schedule_upgrade", somewhere)
    living.ledger.mine()
    early = living.ledger.send(admin, vault, "upgrade", somewhere)
    never = living.ledger.send(admin, vault, "set_limit", 10**30)
    living.ledger.mine()
    assert {living.ledger.receipt(sent)["status"] for sent in (early, never)} == {"0x0"}


def test_an_attack_has_to_be_prepared(living: World) -> None:
    with pytest.raises(ValueError, match="not prepared"):
        attacks.Drain(living, "careless").send()
