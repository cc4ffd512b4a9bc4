"""The chain as a source: repeatable, gapless, and never wrong about what was undone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from features.calls import CALLS
from features.stream import Stream
from features.trading import TRADES
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.ledger import Ledger
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_ring import DeepReorganisationError
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.source import Position
from tests.pipeline.simulate.chain.nodes import LATER, START, everything, node, pay

STREAMS = [TRANSACTIONS, CALLS]


@pytest.fixture
def ledger() -> Ledger:
    made = Ledger(node(), START, timedelta(seconds=12))
    pay(made, 12)
    return made


def chain(ledger: Ledger, **how: Any) -> Chain:
    return Chain(Rpc([ledger.node]), **how)


def reorganise(ledger: Ledger, depth: int) -> None:
    ledger.request("anvil_reorg", depth, [])
    count = ledger.request("eth_getTransactionCount", ledger.faucet.address, "latest")
    ledger.faucet.nonce = int(count, 16)


@pytest.mark.parametrize("stream", STREAMS)
def test_every_row_is_valid_and_no_block_is_left_out(ledger: Ledger, stream: Stream) -> None:
    rows = everything(ChainSource(chain(ledger, confirmations=0), stream))
    valid = stream.validate(rows, now=LATER)
    assert (len(valid.events), len(valid.refused)) == (24, 0)
    assert rows["ts"].is_sorted()
    assert rows["ts"].n_unique() == 12


@pytest.mark.parametrize("stream", STREAMS)
def test_the_same_positions_give_the_same_rows(ledger: Ledger, stream: Stream) -> None:
    source = ChainSource(chain(ledger, confirmations=2), stream)
    given: list[tuple[Position | None, Position, pl.DataFrame]] = []
    position: Position | None = None
    while batch := source.read(position):
        given.append((position, batch.position, batch.events))
        position = batch.position
    assert len(given) > 2
    pay(ledger, 5)
    fresh = ChainSource(chain(ledger, confirmations=2), stream)
    for start, until, events in given:
        again = fresh.read(start, until=until)
        assert again is not None
        assert again.position == until
        assert again.events.equals(events)
    whole = fresh.read(None, until=given[-1][1])
    assert whole is not None
    assert whole.events.equals(pl.concat(events for *_, events in given))


def test_a_block_is_given_when_it_is_deep_enough(ledger: Ledger) -> None:
    source = ChainSource(chain(ledger, confirmations=6), TRANSACTIONS)
    assert everything(source)["block"].max() == 6
    position = {"number": 6, "hash": source._chain.blocks.read(6, 6)[0].hash}
    assert source.read(position) is None
    pay(ledger)
    batch = source.read(position)
    assert batch is not None
    assert batch.position["number"] == 7


@pytest.mark.parametrize("depth", [1, 3, 6])
def test_a_reorganisation_within_the_confirmations_is_never_seen(
    ledger: Ledger, depth: int
) -> None:
    source = ChainSource(chain(ledger, confirmations=6), TRANSACTIONS)
    before = everything(source)
    position = {"number": 6, "hash": source._chain.blocks.read(6, 6)[0].hash}
    reorganise(ledger, depth)
    pay(ledger, 8)
    after = everything(source, position)
    fresh = everything(ChainSource(chain(ledger, confirmations=6), TRANSACTIONS))
    assert pl.concat([before, after]).equals(fresh)


def test_a_deeper_one_is_an_error_with_a_name_and_stays_one(ledger: Ledger) -> None:
    source = ChainSource(chain(ledger, confirmations=2), TRANSACTIONS)
    start = {"number": 8, "hash": source._chain.blocks.read(8, 8)[0].hash}
    position = {"number": 10, "hash": source._chain.blocks.read(10, 10)[0].hash}
    reorganise(ledger, 3)
    pay(ledger, 3)
    for _ in range(2):
        with pytest.raises(DeepReorganisationError, match="more than 2 blocks"):
            source.read(position)
        with pytest.raises(DeepReorganisationError, match="more than 2 blocks"):
            source.read(start, until=position)


def test_heads_are_applied_at_once_and_taken_back(ledger: Ledger) -> None:
    follower = chain(ledger, confirmations=3)
    first = follower.heads()
    assert [(h.kind, h.number) for h in first] == [("apply", n) for n in (9, 10, 11, 12)]
    assert follower.heads() == []
    reorganise(ledger, 2)
    pay(ledger)
    steps = follower.heads()
    assert [(h.kind, h.number) for h in steps] == [
        ("retract", 12),
        ("retract", 11),
        ("apply", 11),
        ("apply", 12),
        ("apply", 13),
    ]
    # What is taken back is what was given.
    for gone, given in zip(steps[:2], reversed(first), strict=False):
        assert gone.hash == given.hash
        assert gone.transactions.equals(given.transactions)
        assert gone.calls.equals(given.calls)


def test_a_long_gap_is_closed_without_a_block_left_out(ledger: Ledger) -> None:
    follower = chain(ledger, confirmations=0)
    seen = [head.number for head in follower.heads()]
    pay(ledger, 150, each=0)
    while heads := follower.heads():
        seen += [head.number for head in heads]
    assert seen == list(range(12, 163))


def test_what_it_does_not_make_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="expected one of transactions, calls"):
        ChainSource(chain(ledger), TRADES)
    with pytest.raises(ValueError, match="expected >= 0"):
        chain(ledger, confirmations=-1)


def test_a_chain_shorter_than_its_start_gives_nothing_yet() -> None:
    short = Ledger(EthTesterNode(round(START.timestamp())), START, timedelta(seconds=12))
    follower = chain(short, start=3, confirmations=0)
    assert follower.heads() == []
    assert ChainSource(follower, CALLS).read(None) is None
