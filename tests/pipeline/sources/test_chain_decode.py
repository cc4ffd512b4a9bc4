"""Answers are read in full or refused by field; nothing else can happen."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import chain_decode as decode
from pipeline.sources.chain_rpc import MalformedError

HASH, ADDRESS = "0x" + 64 * "A", "0x" + 40 * "B"
CALL = {"type": "CALL", "from": ADDRESS, "to": ADDRESS, "value": "0x5", "input": "0xaabbccdd11"}


def block(**changes: Any) -> dict[str, Any]:
    sent = {"hash": HASH, "from": ADDRESS, "to": None, "value": "0x1", "input": "0x"}
    sent |= {"nonce": "0x0", "gas": "0x5208"}
    told = {"number": "0x10", "hash": HASH, "parentHash": HASH, "timestamp": "0x6955b900"}
    return told | {"transactions": [sent]} | changes


def test_a_block_is_read_in_lower_case_and_whole_numbers() -> None:
    read = decode.block(block())
    assert (read.number, read.hash, read.transactions[0].selector) == (16, HASH.lower(), "0x")
    assert read.transactions[0].sender == ADDRESS.lower()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"number": 16}, "number"),
        ({"number": "16"}, "number"),
        ({"number": "0x"}, "number"),
        ({"number": "0x" + 65 * "1"}, "number"),
        ({"number": "0x1_0"}, "number"),
        ({"number": "0x-1"}, "number"),
        ({"hash": "0xabc"}, "hash"),
        ({"hash": ADDRESS}, "hash"),
        ({"parentHash": None}, "parentHash"),
        ({"timestamp": "0xffffffffffff"}, "timestamp"),
        ({"transactions": None}, "transactions"),
        ({"transactions": [HASH]}, "transaction"),
        ({"transactions": [{}]}, "input"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedError, match=f"^{field} = .*expected"):
        decode.block(block(**changes))


def test_a_call_tree_is_flat_in_order_of_execution() -> None:
    inner = CALL | {"calls": [CALL | {"type": "STATICCALL"}, CALL | {"type": "NEW KIND"}]}
    panic = {"output": "0x4e487b71" + 64 * "0", "error": "execution reverted"}
    read = decode.calls(CALL | {"calls": [inner, CALL | panic]})
    assert [(c.depth, c.kind) for c in read] == [
        (0, "CALL"),
        (1, "CALL"),
        (2, "STATICCALL"),
        (2, "OTHER"),
        (1, "CALL"),
    ]
    assert (read[0].selector, read[0].input_length) == ("0xaabbccdd", 5)
    assert (read[-1].panicked, read[-1].error) == (True, "execution reverted")


def test_a_tree_may_be_as_deep_as_the_machine_allows() -> None:
    tree: dict[str, Any] = dict(CALL)
    for _ in range(1_024):
        tree = CALL | {"calls": [tree]}
    assert decode.calls(tree)[-1].depth == 1_024


def test_receipts_of_another_block_are_refused() -> None:
    of = decode.block(block())
    receipt = {"blockHash": "0x" + 64 * "c", "transactionHash": HASH, "status": "0x1"}
    with pytest.raises(MalformedError, match="blockHash"):
        decode.receipts([receipt], of)
    with pytest.raises(MalformedError, match="expected 1"):
        decode.receipts([], of)


FIELDS = (
    "number hash parentHash timestamp transactions from to value input nonce gas type calls logs "
    "topics data result"
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(["0x", "0x1", HASH, ADDRESS, "CALL"])
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=8)
    ),
    max_leaves=25,
)


def read_anything(answer: Any) -> None:
    of = decode.block(block())
    for read in (
        decode.block,
        decode.calls,
        lambda a: decode.receipts(a, of),
        lambda a: decode.receipts([a], of),
        lambda a: decode.traces([a], of),
        lambda a: decode.traces(a, of),
    ):
        with suppress(MalformedError):
            read(answer)


@given(JSON)
@settings(max_examples=200)
def test_any_answer_is_read_or_refused(answer: Any) -> None:
    read_anything(answer)
