"""Features of senders and of functions: hand-computed examples."""

from __future__ import annotations

from typing import Any

import pytest

from features.baseline import Baseline
from features.extract import extract
from features.senders import FUNCTION_1M, SENDER_1M
from tests.features.mined import mined


def test_a_transaction_that_touches_two_addresses_counts_once_for_its_sender() -> None:
    both: dict[str, Any] = {"hash": "h", "index": 4, "ether": 1, "gas_used": 1e5, "gas_price": 1e10}
    other = {"success": False, "gas_used": 3e5, "gas_limit": 3e5, "ether": 7, "created": "new"}
    events = mined(both, both | {"address": "token"}, other | {"address": "token"})
    window = extract(SENDER_1M, events).row(0, named=True)
    assert window["transactions"] == 2
    assert window["addresses"] == 2
    assert window["senders"] == 1
    assert window["failed_share"] == 0.5
    assert window["gas_per_call"] == 2e5
    assert window["most_gas"] == 3e5
    assert window["gas_share"] == 1
    assert window["fees"] == pytest.approx(1e-3)
    assert window["ether"] == 1
    assert window["created_contracts"] == 1


def test_withdrawals_are_set_against_deposits() -> None:
    events = mined({"deposits": 1}, {"withdrawals": 10, "privileged_events": 1}, {"withdrawals": 2})
    window = extract(SENDER_1M, events).row(0, named=True)
    assert window["withdrawals_per_deposit"] == 6
    assert window["most_withdrawals"] == 10
    assert window["privileged_calls"] == 1


def test_the_gas_of_a_function_is_judged_by_its_own_past() -> None:
    usual = {"withdraw": 35_000.0, "settle": 400_000.0}
    events = mined(
        *(
            {"at": 60 * i, "selector": name, "gas_used": gas * (1 + 0.01 * (i % 5))}
            for i in range(500)
            for name, gas in usual.items()
        ),
        {"at": 30_000, "selector": "withdraw", "gas_used": 5 * usual["withdraw"]},
        {"at": 30_000, "selector": "settle", "gas_used": usual["settle"]},
    )
    windows = extract(FUNCTION_1M, events)
    deviations = Baseline(FUNCTION_1M).update(windows)
    gas = FUNCTION_1M.names.index("gas_per_call")
    last = dict(zip(windows["entity"][-2:], deviations.recent[-2:, gas], strict=True))
    typical = dict(zip(windows["entity"][-2:], deviations.typical[-2:, gas], strict=True))
    assert last["vault|withdraw"] / typical["vault|withdraw"] == pytest.approx(4.9, abs=0.6)
    assert last["vault|settle"] / typical["vault|settle"] == pytest.approx(1, abs=0.2)


def test_a_creation_without_a_selector_is_no_function() -> None:
    windows = extract(FUNCTION_1M, mined({"selector": None}, {"selector": "0x01"}))
    assert windows["entity"].to_list() == ["vault|0x01"]
