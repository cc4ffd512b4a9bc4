"""Features of call trees: hand-computed examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.calls import CALLS, TRANSACTION_1S
from features.extract import extract
from features.silence import batch_windows
from features.windows import Windower

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def call(depth: int, kind: str, caller: str, callee: str | None, **told: Any) -> dict[str, Any]:
    given = {"depth": depth, "kind": kind, "from_address": caller, "to_address": callee}
    return given | {"value_wei": 0.0, "selector": "0x", "input_length": 0} | told


def trees(*transactions: list[dict[str, Any]]) -> pl.DataFrame:
    """The calls of transactions t0, t1, ..., each a block later than the one before."""
    rows = [
        row | {"tx": f"t{n}", "idx": i, "ts": AT + n * timedelta(seconds=12)}
        for n, transaction in enumerate(transactions)
        for i, row in enumerate(transaction)
    ]
    types = {c.name: c.type for c in CALLS.columns}
    raw = pl.DataFrame(rows, schema_overrides={name: types[name] for name in rows[0]})
    validated = CALLS.validate(raw, now=AT + timedelta(days=1))
    validated.refused.raise_first()
    return validated.events


def measure(*rows: dict[str, Any]) -> dict[str, Any]:
    return extract(TRANSACTION_1S, trees(list(rows))).row(0, named=True)


FLASH = [
    call(0, "CALL", "eve", "bot", selector="0xaa", input_length=4),
    call(1, "CALL", "bot", "bank", selector="0xb1", input_length=100),
    call(2, "CALL", "bank", "bot", selector="0xb2", input_length=68),
    call(3, "CALL", "bot", "pool", selector="0xc1", input_length=36),
    call(3, "STATICCALL", "bot", "pool", selector="0xc2", input_length=4),
    call(3, "CALL", "bot", "pool", selector="0xc1", input_length=36),
    call(3, "CALL", "bot", "pool", selector="0xc3", input_length=36, value_wei=5e17),
    call(1, "STATICCALL", "bot", "bank", selector="0xc2", input_length=4),
]


def test_a_flash_loan_is_measured_as_defined() -> None:
    window = measure(*FLASH)
    assert window["entity"] == "t0"
    assert window["calls"] == 8
    assert window["depth_reached"] == 3
    assert window["contracts"] == 3
    assert window["functions"] == 6
    assert window["reentries"] == 1
    assert window["calls_inside"] == 4
    assert window["reentry_depth"] == 1
    assert window["repeated_calls"] == 1
    assert window["two_sided_pairs"] == 1
    assert window["static_calls"] == 2
    assert window["fan_out"] == 4
    assert window["ether_moved"] == 0.5
    assert window["changes_per_byte"] == 5 / 4
    assert window["input_per_byte"] == (100 + 68 + 3 * 36 + 2 * 4) / 4
    # Counts 1, 1, 1, 2, 2, 1 of eight.
    assert window["function_entropy"] == pytest.approx(4 / 8 * 3 + 2 * (2 / 8) * 2)


def test_a_constructor_is_a_program_and_no_request() -> None:
    window = measure(
        call(0, "CREATE", "eve", "bot", input_length=9_000),
        call(1, "CALL", "bot", "pool", selector="0xc1", input_length=36),
        call(1, "CREATE2", "bot", "child", input_length=500),
        call(2, "CALL", "child", "pool", selector="0xc1", input_length=36),
        call(1, "SELFDESTRUCT", "bot", "eve"),
    )
    assert window["changes_per_byte"] == 2 / 4
    assert window["created"] == 2
    assert window["calls_by_created"] == 4
    assert window["destroyed"] == 1
    assert window["payouts"] == 0
    assert window["reentries"] == 0


def test_the_same_function_called_by_others_is_no_repetition() -> None:
    window = measure(
        call(0, "CALL", "ann", "a"),
        call(1, "CALL", "a", "token", selector="0x01"),
        call(1, "CALL", "a", "b", selector="0x02"),
        call(2, "CALL", "b", "token", selector="0x01"),
        call(1, "DELEGATECALL", "a", "token", selector="0x01"),
    )
    assert window["repeated_calls"] == 0
    assert window["two_sided_pairs"] == 0
    assert window["delegate_calls"] == 1


def test_what_a_contract_does_counts_against_the_bytes_that_asked_for_it() -> None:
    tree = [
        call(1, "CALL", "bot", "token", selector="0x095ea7b3", input_length=68),
        call(1, "CALL", "bot", "pool", selector="0xc1", input_length=36),
        call(2, "CALL", "pool", "bot", value_wei=1e18),
        call(3, "STATICCALL", "bot", "pool", selector="0xc2", input_length=4),
    ]
    trigger = {"selector": "0xaa", "input_length": 4}
    short = measure(call(0, "CALL", "eve", "bot", **trigger), *tree)
    bare = measure(call(0, "CALL", "eve", "bot", value_wei=1e18), *tree)
    long = measure(call(0, "CALL", "eve", "bot", selector="0xaa", input_length=100), *tree)
    for name, amount in (
        ("changes_per_byte", 3),
        ("approvals_per_byte", 1),
        ("read_reentries_per_byte", 1),
        ("input_per_byte", 68 + 36 + 4),
    ):
        assert short[name] == bare[name] == amount / 4
        assert long[name] == amount / 100


def test_a_payout_is_ether_that_comes_back_to_whoever_sent_the_transaction() -> None:
    window = measure(
        call(0, "CALL", "eve", "bot", value_wei=1e18),
        call(1, "CALL", "bot", "eve", value_wei=2e18),
        call(1, "CALL", "bot", "eve"),
        call(1, "CALL", "bot", "ann", value_wei=1e18),
        call(1, "DELEGATECALL", "bot", "eve", value_wei=1e18),
        call(1, "SELFDESTRUCT", "bot", "eve", value_wei=1e18),
    )
    assert window["payouts"] == 2


def test_a_plain_transfer_measures_nothing_but_itself() -> None:
    window = measure(call(0, "CALL", "ann", "bob", value_wei=1e18))
    quiet = {"calls", "contracts", "functions", "silence", "entity", "start", "end"}
    assert all(window[name] == 0 for name in window.keys() - quiet)
    assert window["calls"] == window["contracts"] == window["functions"] == 1


def test_what_is_not_told_counts_as_nothing() -> None:
    unknown = {"value_wei": None, "selector": None, "input_length": None}
    window = measure(
        call(0, "CREATE", "ann", None, **unknown), call(1, "OTHER", "x", None, **unknown)
    )
    assert window["contracts"] == window["functions"] == window["reentries"] == 0
    assert window["approvals"] == window["flash_loans"] == window["payouts"] == 0
    assert window["ether_moved"] == window["input_per_byte"] == window["function_entropy"] == 0


def test_a_transaction_has_one_window_and_no_silence_after_it() -> None:
    events = trees(FLASH, FLASH[:3], FLASH)
    windows = batch_windows(TRANSACTION_1S, events)
    assert windows["entity"].to_list() == ["t0", "t1", "t2"]
    assert windows["silence"].to_list() == [1.0] * 3
    assert_frame_equal(windows, extract(TRANSACTION_1S, events))


def test_transactions_that_arrive_call_by_call_are_measured_whole() -> None:
    events = trees(FLASH, FLASH[:3], FLASH[:1], FLASH)
    windower, now = Windower(TRANSACTION_1S), AT + timedelta(days=1)
    steps = [windower.push(events[a:b], now) for a, b in pairwise(range(len(events) + 1))]
    steps.append(windower.flush())
    live = pl.concat(step.windows for step in steps)
    assert_frame_equal(live, batch_windows(TRANSACTION_1S, events))
    assert windower.state.previous.is_empty()
