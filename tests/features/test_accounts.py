"""Features of accounts: hand-computed examples."""

from __future__ import annotations

from typing import Any

import pytest

from features.accounts import ACCOUNT_1D
from features.extract import extract
from tests.features.mined import mined


def measure(*rows: dict[str, Any]) -> dict[str, Any]:
    return extract(ACCOUNT_1D, mined(*rows)).row(0, named=True)


def test_payers_who_pay_once_are_told_from_those_who_come_back() -> None:
    window = measure(
        {"sender": "ann", "ether": 1},
        {"sender": "ann", "ether": 1.03},
        {"sender": "ann", "ether": 0.3},
        {"sender": "bob", "ether": 0.25},
        {"sender": "cid", "ether": 2},
        {"sender": "dan", "ether": 0},
        {"sender": "eve", "ether": 9, "success": False},
        {"sender": "vault", "to": "x", "ether": 4},
    )
    assert window["transactions"] == 8
    assert window["payments_in"] == 5
    assert window["payers"] == 3
    assert window["one_time_payers"] == 2
    assert window["round_payments"] == 3
    assert window["payees"] == window["sent"] == 1
    assert window["payers_per_payee"] == 1.5
    assert window["failed_share"] == 0.125


def test_money_rests_until_the_account_signs_again() -> None:
    window = measure(
        {"at": 0, "ether": 1},
        {"at": 10, "ether": 1},
        {"at": 40, "sender": "vault", "to": "x", "ether": 1},
        {"at": 50, "ether": 1},
        {"at": 55, "sender": "vault", "to": "y", "ether": 1},
        {"at": 60, "ether": 1},
    )
    assert window["holding_time"] == 30
    assert window["shortest_hold"] == 5
    assert window["active_time"] == 60
    assert window["burstiness"] == pytest.approx(107.5**0.5 / 12)


def test_ether_is_counted_by_direction() -> None:
    window = measure(
        {"ether": 6},
        {"sender": "vault", "to": "x", "ether": 3},
        {"sender": "vault", "to": "x", "ether": 1},
    )
    assert (window["ether_in"], window["ether_out"]) == (6, 4)
    assert window["net_share"] == pytest.approx(0.2)
    assert window["largest_out_share"] == 0.75


def test_an_account_that_only_receives_holds_for_an_unknown_time() -> None:
    window = measure({"ether": 1})
    assert window["holding_time"] is None
    assert window["largest_out_share"] is None
    assert window["burstiness"] is None


def test_the_next_window_says_nothing_of_this_one() -> None:
    events = mined({"at": 0, "ether": 1}, {"at": 90_000, "sender": "vault", "ether": 1})
    windows = extract(ACCOUNT_1D, events)
    assert windows["shortest_hold"].to_list() == [None, None]
    assert windows["active_time"].to_list() == [0, 0]
