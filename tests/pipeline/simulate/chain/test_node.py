"""The node in this process answers as a real one does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipeline.simulate.chain.ledger import ETHER, TIP, Ledger, Wallet
from pipeline.simulate.chain.node import EthTesterNode
from tests.pipeline.simulate.chain.nodes import START, node, pay

TO = "0x" + 36 * "0" + "7007"


def ledger(on: EthTesterNode | None = None) -> Ledger:
    return Ledger(on or node(), START, timedelta(seconds=12))


def latest(of: Ledger) -> dict[str, object]:
    block = of.request("eth_getBlockByNumber", "latest", True)
    assert isinstance(block, dict)
    return block


def test_the_same_moves_give_the_same_hashes() -> None:
    one, two = ledger(), ledger()
    pay(one, 3)
    pay(two, 3)
    assert latest(one) == latest(two)


def test_old_states_can_be_asked_for() -> None:
    chain = ledger()
    for _ in range(3):
        chain.send(chain.faucet, TO, value=ETHER)
        chain.mine()
    held = [int(chain.request("eth_getBalance", TO, hex(n)), 16) // ETHER for n in range(4)]
    assert held == [0, 1, 2, 3]
    by_hash = {"blockHash": chain.request("eth_getBlockByNumber", "0x2", False)["hash"]}
    assert int(chain.request("eth_getBalance", TO, by_hash), 16) == 2 * ETHER


def test_the_highest_tip_is_mined_first_and_one_sender_in_order_of_nonce() -> None:
    chain = ledger()
    rich = Wallet("rich", bytes(31) + b"\x09")
    chain.send(chain.faucet, rich.address, value=10 * ETHER)
    chain.mine()
    first = [chain.send(chain.faucet, TO, value=1), chain.send(chain.faucet, TO, value=2)]
    hurried = chain.send(rich, TO, value=3, tip=5 * TIP)
    waiting = chain.request("eth_getBlockByNumber", "pending", True)["transactions"]
    assert {t["hash"] for t in waiting} == {*first, hurried}
    chain.mine()
    mined = [t["hash"] for t in latest(chain)["transactions"]]  # type: ignore[attr-defined]
    assert mined == [hurried, *first]


def test_a_transaction_is_taken_once_and_replaced_only_for_more() -> None:
    chain = ledger()
    chain.send(chain.faucet, TO, value=1)
    chain.faucet.nonce -= 1
    with pytest.raises(ValueError, match="already known"):
        chain.send(chain.faucet, TO, value=1)
    with pytest.raises(ValueError, match="underpriced"):
        chain.send(chain.faucet, TO, value=2)
    chain.faucet.nonce += 1
    chain.mine()
    chain.faucet.nonce -= 1
    with pytest.raises(ValueError, match="nonce too low"):
        chain.send(chain.faucet, TO, value=3)


@pytest.mark.parametrize("depth", [1, 3])
def test_a_reorganisation_takes_blocks_back_and_their_payments(depth: int) -> None:
    chain = ledger()
    pay(chain, 5, each=1)
    before = [chain.request("eth_getBlockByNumber", hex(n), False)["hash"] for n in range(6)]
    chain.request("anvil_reorg", depth, [])
    after = [chain.request("eth_getBlockByNumber", hex(n), False)["hash"] for n in range(6)]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert changed == [False] * (6 - depth) + [True] * depth
    assert int(chain.request("eth_getTransactionCount", chain.faucet.address, "latest"), 16) == (
        5 - depth
    )


def test_what_it_cannot_answer_is_an_error_and_no_exception() -> None:
    on = node()
    assert on.make_request("eth_nothing", [])["error"]["code"] == -32601
    assert "error" in on.make_request("eth_getBlockByHash", ["0x" + 64 * "a", True])
    assert on.make_request("eth_getBlockByNumber", ["0x99", True])["result"] is None
    batch = on.make_batch_request([("eth_chainId", []), ("eth_nothing", [])])
    assert [set(answer) - {"jsonrpc", "id"} for answer in batch] == [{"result"}, {"error"}]
