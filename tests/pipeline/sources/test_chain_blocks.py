"""Whatever a node answers: the true rows, or an error with a name."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.calls import CALLS
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain.ledger import Ledger
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.sources.chain import Chain, ChainSource
from pipeline.sources.chain_blocks import LARGEST
from pipeline.sources.chain_rpc import Rpc, UnsupportedError
from pipeline.sources.source import SourceError
from tests.pipeline.simulate.chain.nodes import LATER, START, everything, node, pay, rows, world


class Between:
    """A node whose answers pass through someone's hands."""

    def __init__(self, of: EthTesterNode, lacks: tuple[str, ...] = (), largest: int = 1000) -> None:
        self._node, self._lacks, self._largest = of, lacks, largest
        self.asked: Counter[str] = Counter()

    def make_request(self, method: str, params: Any) -> Any:
        self.asked[method] += 1
        if method in self._lacks:
            return {"error": {"code": -32601, "message": "no such method"}}
        return self.changed(method, copy.deepcopy(self._node.make_request(method, params)))

    def make_batch_request(self, requests: list[tuple[str, Any]]) -> Any:
        if len(requests) > self._largest:
            self.asked["refused"] += 1
            return {"error": {"code": -32000, "message": "batch too large"}}
        return [self.make_request(method, params) for method, params in requests]

    def changed(self, method: str, answer: Any) -> Any:
        return answer


@cache
def lived() -> tuple[EthTesterNode, tuple[Any, ...]]:
    on = node()
    living = world(on)
    living.act(4)
    return on, living.watched


@pytest.fixture(scope="module")
def long_chain() -> EthTesterNode:
    on = node()
    pay(Ledger(on, START, timedelta(seconds=12)), 150, each=1)
    return on


@pytest.mark.parametrize(
    "lacks",
    [
        ("eth_getBlockReceipts",),
        ("debug_traceBlockByHash",),
        ("eth_getBlockReceipts", "debug_traceBlockByHash"),
    ],
)
def test_a_node_that_answers_by_transaction_alone_gives_the_same_rows(
    lacks: tuple[str, ...],
) -> None:
    on, watched = lived()
    for stream in (TRANSACTIONS, CALLS):
        plain, poor = (
            rows(Chain(Rpc([end]), watched=watched, confirmations=0), stream)
            for end in (on, Between(on, lacks))
        )
        assert len(plain) > 20
        assert poor.equals(plain)


def test_a_node_without_traces_is_a_failure_unless_none_are_asked_for() -> None:
    on, watched = lived()
    end = Between(on, ("debug_traceBlockByHash", "debug_traceTransaction"))
    with pytest.raises(UnsupportedError, match="debug_traceTransaction"):
        rows(Chain(Rpc([end]), watched=watched, confirmations=0), CALLS)
    chain = Chain(Rpc([end]), watched=watched, confirmations=0, traces=False)
    assert rows(chain, CALLS).is_empty()
    assert len(rows(chain, TRANSACTIONS)) > 20


@pytest.mark.parametrize(("largest", "refused"), [(1_000, 0), (20, 6), (1, 150)])
def test_steps_are_as_large_as_the_node_takes(
    long_chain: EthTesterNode, largest: int, refused: int
) -> None:
    end = Between(long_chain, largest=largest)
    chain = Chain(Rpc([end]), confirmations=0)
    source, position = ChainSource(chain, TRANSACTIONS), None
    blocks: list[int] = []
    while batch := source.read(position):
        position = batch.position
        blocks += batch.events["block"].to_list()
    assert blocks == list(range(1, 151))
    assert chain.blocks.span <= min(largest + 1, LARGEST)
    assert end.asked["refused"] <= refused


def test_streams_of_one_chain_fetch_a_block_once(long_chain: EthTesterNode) -> None:
    end = Between(long_chain)
    chain = Chain(Rpc([end]), start=100, confirmations=0)
    for stream in (TRANSACTIONS, CALLS):
        everything(ChainSource(chain, stream))
    assert end.asked["eth_getBlockReceipts"] == end.asked["debug_traceBlockByHash"] == 51


class Liar(Between):
    """Changes one value somewhere in one kind of answer, the first time it is asked."""

    def __init__(self, of: EthTesterNode, method: str, where: int, value: Any) -> None:
        super().__init__(of)
        self._method, self._where, self._value = method, where, value

    def changed(self, method: str, answer: Any) -> Any:
        if method != self._method:
            return answer
        self._method = ""
        places = list(_places(answer))
        holder, key = places[self._where % len(places)]
        holder[key] = self._value
        return answer


def _places(value: Any) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


METHODS = [
    "eth_blockNumber",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "debug_traceBlockByHash",
    "eth_getBalance",
    "eth_call",
]
ODD = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["0x", "0x0", "0xg", "0x" + "f" * 64, "0x" + "f" * 70, "-0x1", "0X1"])
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


def lie(method: str, where: int, value: Any) -> None:
    on, watched = lived()
    rpc = Rpc([Liar(on, method, where, value)])
    chain = Chain(rpc, watched=watched, confirmations=0, start=8)
    for stream in (TRANSACTIONS, CALLS):
        try:
            given = everything(ChainSource(chain, stream))
        except SourceError:
            continue
        valid = stream.validate(given, now=LATER)
        assert len(valid.events) + len(valid.refused) == len(given)
    # Whoever has told one lie is heard again when he has rested, and then by what is true.
    truth = rows(Chain(Rpc([on]), watched=watched, confirmations=0, start=8), TRANSACTIONS)
    again = Chain(Rpc([Between(on)]), watched=watched, confirmations=0, start=8)
    assert rows(again, TRANSACTIONS).equals(truth)


@given(st.sampled_from(METHODS), st.integers(0, 10_000), ODD)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_lie_anywhere_crashes_nothing(method: str, where: int, value: Any) -> None:
    lie(method, where, value)


@pytest.mark.slow
@given(st.sampled_from(METHODS), st.integers(0, 10_000), ODD)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_sixty_lies_crash_nothing(method: str, where: int, value: Any) -> None:
    lie(method, where, value)


@given(st.sampled_from(["eth_getBlockByNumber", "eth_getBlockReceipts"]), st.data())
@settings(max_examples=8, deadline=None)
def test_what_the_first_lies_about_the_second_tells(method: str, data: st.DataObject) -> None:
    on, watched = lived()
    value = data.draw(st.integers() | st.just("0xg"))
    where = data.draw(st.integers(0, 10_000))
    rpc = Rpc([Liar(on, method, where, value), on])
    chain = Chain(rpc, watched=watched, confirmations=0, start=12)
    given = rows(chain, TRANSACTIONS)
    truth = rows(Chain(Rpc([on]), watched=watched, confirmations=0, start=12), TRANSACTIONS)
    # A field that nobody reads may hold anything; what is read is never a lie.
    assert given.equals(truth)
    assert isinstance(given, pl.DataFrame)
