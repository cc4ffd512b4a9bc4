"""Call trees of the node in this process: who called whom, how, and what failed."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from tests.pipeline.simulate.chain.nodes import world


@pytest.fixture(scope="module")
def living() -> World:
    return world()


def trace(of: World, sent: str) -> Any:
    return of.ledger.request("debug_traceTransaction", sent, {"tracer": "callTracer"})


def test_a_creation_is_a_create_of_the_new_contract(living: World) -> None:
    drain = attacks.Drain(living)
    drain.fund()
    move = drain.prepare()
    root = trace(living, move.transactions[0])
    assert (root["type"], root["from"], root["to"]) == ("CREATE", *move.entities)


def test_a_token_sold_is_a_call_in_a_call(living: World) -> None:
    trader, pool = living.wallet("trader0"), living.contracts["pool_a"]
    sent = living.ledger.send(trader, pool, "sell", 10**18, 0)
    living.ledger.mine()
    root = trace(living, sent)
    assert root["to"] == pool.address
    inner = [(call["type"], call["to"]) for call in root["calls"]]
    assert inner == [("CALL", living.contracts["token"].address), ("CALL", trader.address)]


def test_what_failed_says_so(living: World) -> None:
    trader, pool = living.wallet("trader1"), living.contracts["pool_a"]
    sent = living.ledger.send(trader, pool, "buy", 2**200, value=ETHER)
    living.ledger.mine()
    assert trace(living, sent)["error"] == "execution reverted"
    receipt = living.ledger.receipt(sent)
    assert (receipt["status"], receipt["logs"]) == ("0x0", [])


def test_receipts_add_up_to_the_blocks_gas(living: World) -> None:
    living.act(3)
    block = living.ledger.request("eth_getBlockByNumber", "latest", False)
    receipts = living.ledger.request("eth_getBlockReceipts", block["hash"])
    assert sum(int(r["gasUsed"], 16) for r in receipts) == int(block["gasUsed"], 16)
    logs = [int(log["logIndex"], 16) for receipt in receipts for log in receipt["logs"]]
    assert logs == list(range(len(logs)))
