"""The follower against a real node: HTTP, WebSocket, reorganisations, an endpoint that dies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.request import Request, urlopen

import numpy as np
import polars as pl
import pytest

from features.catalogue import VIEWS
from features.extract import extract
from features.stream import Stream
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.anvil import Anvil
from pipeline.simulate.chain.ledger import Ledger
from pipeline.sources.chain import Chain, ChainSource, Head
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.chain_wake import WakeUp
from pipeline.sources.source import Position
from tests.pipeline.simulate.chain.nodes import START, everything, pay, running_anvil

PATIENCE = 120.0


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with running_anvil() as started:
        yield started


def ledger(of: Anvil) -> Ledger:
    return Ledger(of, START, timedelta(seconds=12))


def windows(rows: pl.DataFrame, stream: Stream = TRANSACTIONS) -> list[pl.DataFrame]:
    views = [view for view in VIEWS.values() if view.stream.name == stream.name]
    assert views
    return [extract(view, rows) for view in views]


def apply(heads: list[Head], seen: list[Head]) -> None:
    for head in heads:
        if head.kind == "apply":
            seen.append(head)
        else:
            assert seen.pop().hash == head.hash


@pytest.mark.parametrize("seed", [0, 1])
def test_ten_random_reorganisations_leave_no_trace(anvil: Anvil, seed: int) -> None:
    on = ledger(anvil)
    pay(on, 10)
    chain = Chain(Rpc([anvil.url]), confirmations=6)
    source, position = ChainSource(chain, TRANSACTIONS), None
    rng = np.random.default_rng(seed)
    given, seen = [TRANSACTIONS.empty], list[Head]()
    depths = [*range(1, 7), *rng.integers(1, 7, 4)]
    for depth in rng.permutation(depths):
        position = take(source, position, given)
        apply(chain.heads(), seen)
        on.request("anvil_reorg", int(depth), [])
        apply(chain.heads(), seen)
        count = on.request("eth_getTransactionCount", on.faucet.address, "latest")
        on.faucet.nonce = int(count, 16)
        on.time += 60  # anvil gives the new blocks times of its own
        pay(on, int(rng.integers(1, 9)))
    take(source, position, given)
    apply(chain.heads(), seen)
    fresh = everything(ChainSource(Chain(Rpc([anvil.url]), confirmations=6), TRANSACTIONS))
    assert len(fresh) > 20
    rows = pl.concat(given)
    assert rows.equals(fresh)
    for ours, theirs in zip(windows(rows), windows(fresh), strict=True):
        assert ours.equals(theirs)
    blocks = [on.request("eth_getBlockByNumber", hex(h.number), False)["hash"] for h in seen]
    assert [head.hash for head in seen] == blocks


def take(
    source: ChainSource, position: Position | None, into: list[pl.DataFrame]
) -> Position | None:
    while batch := source.read(position):
        into.append(batch.events)
        position = batch.position
    return position


def test_blocks_are_followed_as_a_websocket_announces_them(anvil: Anvil) -> None:
    on = ledger(anvil)
    pay(on, 2)
    chain, woken = Chain(Rpc([anvil.url]), confirmations=0), WakeUp(anvil.websocket)
    source, position = ChainSource(chain, TRANSACTIONS), None
    given = [TRANSACTIONS.empty]
    try:
        # The connection itself wakes: heads may have come before it.
        assert woken.wait(PATIENCE)
        position = take(source, position, given)
        for _ in range(5):
            pay(on)
            assert woken.wait(PATIENCE)
            position = take(source, position, given)
        assert woken.counts["heads"] >= 1
    finally:
        woken.close()
    position = take(source, position, given)
    assert pl.concat(given)["block"].unique().to_list() == list(range(1, 8))


def test_an_endpoint_that_dies_is_failed_over(anvil: Anvil) -> None:
    on = ledger(anvil)
    pay(on, 8)
    given = [TRANSACTIONS.empty]
    with proxy(anvil.url) as door:
        rpc = Rpc([door, anvil.url], timeout=5.0)
        source = ChainSource(Chain(rpc, confirmations=2), TRANSACTIONS)
        position = take(source, None, given)
        assert rpc.counts["failed_over"] == 0
    pay(on, 5)
    take(source, position, given)
    assert rpc.counts["unreachable"] == 1
    assert rpc.counts["failed_over"] > 0
    fresh = everything(ChainSource(Chain(Rpc([anvil.url]), confirmations=2), TRANSACTIONS))
    assert pl.concat(given).equals(fresh)


@contextmanager
def proxy(url: str) -> Iterator[str]:
    """Another address of the same node, until the context ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(url, body, {"Content-Type": "application/json"})
            with urlopen(request) as answer:
                said = answer.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *args: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_back_fill_takes_larger_steps_as_long_as_it_can(anvil: Anvil) -> None:
    on = ledger(anvil)
    pay(on, 100, each=1)
    rpc = Rpc([anvil.url])
    chain = Chain(rpc, confirmations=0)
    rows = everything(ChainSource(chain, TRANSACTIONS))
    assert rows["block"].to_list() == list(range(1, 101))
    assert chain.blocks.span == 64
    assert rpc.counts["asked"] < 4 * 101
