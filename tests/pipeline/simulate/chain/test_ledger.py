"""A ledger signs, sends and asks; what a node refuses is an error with its words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.simulate.chain.ledger import ETHER, Ledger, Wallet
from tests.pipeline.simulate.chain.nodes import START, node


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(node(), START, timedelta(seconds=12))


def test_a_contract_is_deployed_spoken_to_and_asked(ledger: Ledger) -> None:
    token = ledger.deploy(ledger.faucet, "Token", ledger.faucet)
    holder = Wallet("holder", bytes(31) + b"\x05")
    ledger.send(ledger.faucet, token, "mint", holder.address, 7)
    ledger.mine()
    assert ledger.ask(token, "balanceOf", holder.address) == 7
    assert ledger.ask(token, "totalSupply") == 7


def test_the_clock_is_the_chains_own(ledger: Ledger) -> None:
    ledger.mine()
    ledger.wait(3_600)
    ledger.mine()
    assert ledger.now - START == timedelta(seconds=3_624)
    block = ledger.request("eth_getBlockByNumber", "latest", False)
    assert int(block["timestamp"], 16) == round(ledger.now.timestamp())


def test_what_is_refused_says_why(ledger: Ledger) -> None:
    token = ledger.deploy(ledger.faucet, "Token", ledger.faucet)
    stranger = Wallet("stranger", bytes(31) + b"\x06")
    ledger.send(ledger.faucet, stranger.address, value=ETHER)
    ledger.mine()
    sent = ledger.send(stranger, token, "mint", stranger.address, 1)
    ledger.mine()
    assert int(ledger.receipt(sent)["status"], 16) == 0
    call = {"from": stranger.address, "to": token.address}
    call["data"] = token.data("mint", stranger.address, 1)
    with pytest.raises(ValueError, match="execution reverted"):
        ledger.request("eth_call", call, "latest")
