"""From a block's answers to windows that a scorer can take, against web3 on the same answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import web3
from web3 import Web3
from web3.logs import DISCARD
from web3.providers.base import BaseProvider

from benchmarks.harness import Result, compare
from features.catalogue import VIEWS
from features.extract import extract
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.build import artefact
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_rpc import Rpc

__all__ = ["run"]

START = datetime(2026, 1, 1, tzinfo=UTC)
TRADES = 100


class Recorded(BaseProvider):
    """A node's answers as the texts it sends: asked once, read from JSON each time."""

    def __init__(self, node: EthTesterNode) -> None:
        super().__init__()
        self._node = node
        self._texts: dict[str, str] = {}

    def make_request(self, method: Any, params: Any) -> Any:
        key = json.dumps([method, params])
        if key not in self._texts:
            self._texts[key] = json.dumps(self._node.make_request(method, params))
        return json.loads(self._texts[key])

    def make_batch_request(self, requests: Any) -> Any:
        return [self.make_request(method, params) for method, params in requests]


def run(quick: bool = False) -> list[Result]:
    """Take in one block of 100 trades on a market (20 if quick): 200 rows about 3 contracts.

    The time of the node and of the network is not in it. Ours reads the block with receipts,
    call trees and state, decodes and validates them and computes the windows of every view of
    transactions: all but the score. The peer lets web3 read the block and the receipt of each
    transaction and decode its transfers and swaps: no call trees, no rows, no windows. Parity
    is the difference of gas used in the block.
    """
    node = EthTesterNode(round(START.timestamp()))
    world = World(node, seed=1, start=START)
    world.deploy()
    pools = [world.contracts[name] for name in ("pool_a", "pool_b")]
    for i in range(20 if quick else TRADES):
        trader = world.wallet(f"trader{i % 8}")
        world.ledger.send(trader, pools[i % 2], "buy", 0, value=10**15, gas=200_000)
    world.ledger.mine()
    number = int(world.ledger.request("eth_blockNumber"), 16)
    views = [view for view in VIEWS.values() if view.stream.name == TRANSACTIONS.name]
    recorded = Recorded(node)
    peer = Web3(recorded)
    transfer = peer.eth.contract(abi=artefact("Token").abi).events.Transfer()
    swap = peer.eth.contract(abi=artefact("Pool").abi).events.Swap()
    now = START + timedelta(days=1)

    def ours() -> pl.DataFrame:
        # Nothing is remembered from one call to the next.
        chain = Chain(Rpc([recorded]), watched=world.watched, start=number, confirmations=0)
        batch = ChainSource(chain, TRANSACTIONS).read(None)
        assert batch is not None
        valid = TRANSACTIONS.validate(batch.events, now=now).events
        for view in views:
            extract(view, valid)
        return valid

    def theirs() -> list[Any]:
        receipts = []
        for sent in peer.eth.get_block(number, full_transactions=True)["transactions"]:
            receipt = peer.eth.get_transaction_receipt(dict(sent)["hash"])  # type: ignore[call-overload]
            for event in (transfer, swap):
                event.process_receipt(receipt, errors=DISCARD)
            receipts.append(receipt)
        return receipts

    # A trade is a row about the market and one about the token.
    gas = sum(dict(receipt)["gasUsed"] for receipt in theirs())
    parity = abs(float(ours().unique("hash")["gas_used"].sum()) - gas)
    peer_name = f"web3 {web3.__version__}, receipts and events alone"
    return [compare("chain.block", ours, theirs, peer_name, "ms/block", parity)]
