"""Standard functions in call trees: known by their selectors, counted where they change state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from web3 import Web3

from features.call_standards import APPROVALS, LOANS
from features.calls import CALLS, TRANSACTION_1S
from features.extract import extract
from features.silence import batch_windows
from features.windows import Windower

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
APPROVE, ON_LOAN = "0x095ea7b3", "0x23e30c8b"

Row = tuple[int, str, str, str, str | None]


def trees(*transactions: list[Row]) -> pl.DataFrame:
    """Calls (depth, kind, caller, callee, selector) of transactions, a block from each to each."""
    rows = [
        (AT + n * timedelta(seconds=12), f"t{n}", i, *row)
        for n, transaction in enumerate(transactions)
        for i, row in enumerate(transaction)
    ]
    names = ["ts", "tx", "idx", "depth", "kind", "from_address", "to_address", "selector"]
    types = {c.name: c.type for c in CALLS.columns}
    raw = pl.DataFrame(rows, {name: types[name] for name in names}, orient="row")
    checked = CALLS.validate(raw, now=AT + timedelta(days=1))
    checked.refused.raise_first()
    return checked.events


LOAN: list[Row] = [
    (0, "CALL", "eve", "bot", "0xaa000000"),
    (1, "CALL", "bot", "bank", "0xbb000000"),
    (2, "CALL", "bank", "bot", ON_LOAN),
    (3, "CALL", "bot", "token", APPROVE),
    (3, "CALL", "bot", "token", APPROVE),
    (3, "STATICCALL", "bot", "token", APPROVE),
    (3, "DELEGATECALL", "bot", "lib", ON_LOAN),
]
APPROVED_BY_HAND: list[Row] = [(0, "CALL", "ann", "token", APPROVE)]


@pytest.mark.parametrize(("signature", "selector"), (APPROVALS | dict(LOANS)).items())
def test_a_selector_is_the_hash_of_its_signature(signature: str, selector: str) -> None:
    assert "0x" + Web3.keccak(text=signature)[:4].hex() == selector


def test_nested_approvals_and_loans_are_counted_and_what_only_reads_or_lends_code_is_not() -> None:
    window = extract(TRANSACTION_1S, trees(LOAN)).row(0, named=True)
    assert (window["approvals"], window["flash_loans"]) == (2, 1)


def test_an_approval_that_a_user_asked_for_is_none_of_a_contracts() -> None:
    window = extract(TRANSACTION_1S, trees(APPROVED_BY_HAND)).row(0, named=True)
    assert window["approvals"] == window["approvals_per_byte"] == 0


def test_a_selector_that_is_not_told_is_no_standards() -> None:
    untold: list[Row] = [(*row[:4], None) for row in LOAN]
    window = extract(TRANSACTION_1S, trees(untold)).row(0, named=True)
    assert window["approvals"] == window["flash_loans"] == 0


def test_texts_are_read_alike_live_call_by_call_and_in_one_batch() -> None:
    events = trees(LOAN, APPROVED_BY_HAND, LOAN[:4])
    windower, now = Windower(TRANSACTION_1S), AT + timedelta(days=1)
    steps = [windower.push(events[a:b], now) for a, b in pairwise(range(len(events) + 1))]
    live = pl.concat(step.windows for step in [*steps, windower.flush()])
    assert_frame_equal(live, batch_windows(TRANSACTION_1S, events))
    assert live["approvals"].to_list() == [2, 0, 1]
