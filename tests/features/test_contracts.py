"""Features of contracts: hand-computed examples."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.contracts import ADDRESS_1M, ADDRESS_12S
from features.extract import extract
from features.silence import batch_windows
from features.windows import Windower
from tests.features.mined import AT, mined


def measure(*rows: dict[str, Any]) -> dict[str, Any]:
    return extract(ADDRESS_1M, mined(*rows)).row(0, named=True)


def test_calls_failures_and_gas_are_counted() -> None:
    window = measure(
        {"gas_used": 30_000.0, "gas_price": 2e9, "state_changes": 1, "ether": 2},
        {"gas_used": 50_000.0, "gas_price": 4e9, "state_changes": 3, "sender": "bob"},
        {"gas_used": 90_000.0, "success": False, "failure": "out_of_gas", "ether": 5},
        {"success": False, "failure": "panic"},
    )
    assert window["calls"] == 4
    assert window["success_rate"] == 0.5
    assert window["out_of_gas_share"] == window["panic_share"] == 0.25
    assert (window["gas"], window["most_gas"]) == (170_000, 90_000)
    assert window["median_gas_price"] == 3e9
    assert (window["changes"], window["most_changes"]) == (4, 3)
    assert window["callers"] == 2
    assert window["ether"] == 2


def test_selectors_have_an_entropy() -> None:
    rows = [{"selector": s} for s in ("0x01", "0x01", "0x02", "0x03")]
    window = measure(*rows)
    assert window["functions"] == 3
    assert window["selector_entropy"] == pytest.approx(1.5)


def test_a_drain_shows_as_withdrawals_without_deposits_and_as_a_share_of_the_balance() -> None:
    window = measure(
        {"deposits": 1, "deposited": 5.0, "balance": 100.0},
        {"withdrawals": 10, "withdrawn": 50.0, "balance": 105.0},
        {"withdrawals": 1, "withdrawn": 1.0, "balance": 55.0},
    )
    assert window["withdrawals_per_deposit"] == 11 / 2
    assert window["most_withdrawals"] == 10
    assert window["outflow_share"] == pytest.approx(0.46)
    assert window["largest_outflow_share"] == pytest.approx(50 / 105)


def test_what_is_not_decoded_is_unknown_and_not_zero() -> None:
    window = measure({})
    for name in ("outflow_share", "largest_outflow_share", "supply_minus_balances", "most_gas"):
        assert window[name] is None
    assert window["reserves_minus_liabilities"] is None


def test_privileged_events_are_named_for_exact_rules() -> None:
    window = measure(
        {"privileged": "role", "privileged_events": 2},
        {"privileged": "upgrade"},
        {"privileged": "owner"},
        {"privileged": "mint", "minted": 50.0, "supply": 200.0},
        {"privileged_events": 0},
    )
    assert window["privileged_calls"] == 5
    assert (window["role_changes"], window["upgrades"]) == (2, 1)
    assert window["minted_share"] == 0.25
    kinds = ["pause", "role", "unpause"]
    assert measure(*({"privileged": kind} for kind in kinds))["pauses"] == 2


def test_a_broken_invariant_shows_even_when_it_is_mended_in_the_same_minute() -> None:
    window = measure(
        {"supply": 10.0, "balances": 10.0, "reserves": 9.0, "liabilities": 8.0},
        {"supply": 10.0, "balances": 13.0, "reserves": 5.0, "liabilities": 8.0},
        {"supply": 11.0, "balances": 10.0, "reserves": 9.0, "liabilities": 8.0},
    )
    assert window["supply_minus_balances"] == -3
    assert window["reserves_minus_liabilities"] == -3


def test_ages_and_funders_tell_of_a_prepared_attacker() -> None:
    window = measure(
        {"sender_age": 9e6, "contract_age": 8e6, "funder": "exchange"},
        {"sender_age": 2e4, "contract_age": 2_400.0, "funder": "mixer"},
        {},
    )
    assert (window["youngest_sender"], window["youngest_contract"]) == (2e4, 2_400)
    assert window["mixer_funded"] == 1


def test_a_caller_is_new_once_unless_the_source_knows_better() -> None:
    events = mined(
        {"at": 0},
        {"at": 61, "sender": "bob"},
        {"at": 62, "sender": "bob"},
        {"at": 121, "sender": "ann"},
        {"at": 122, "sender": "cid", "first_call": False},
        {"at": 123, "sender": "bob", "first_call": True},
        {"at": 124, "sender": "dan"},
    )
    assert extract(ADDRESS_1M, events)["new_caller_share"].to_list() == [0, 0.5, 0.5]


def test_blocks_that_arrive_one_by_one_give_the_windows_of_the_history() -> None:
    events = mined(
        *(
            {"at": 12 * (i // 3), "sender": f"s{i % 5}", "withdrawals": i % 2, "withdrawn": i * 1.0}
            for i in range(60)
        )
    )
    for view in (ADDRESS_1M, ADDRESS_12S):
        windower, now = Windower(view), AT.replace(day=1, month=3)
        steps = [windower.push(events[a:b], now) for a, b in pairwise(range(0, 61, 3))]
        steps.append(windower.flush())
        live = pl.concat(step.windows for step in steps)
        assert_frame_equal(live, batch_windows(view, events))
