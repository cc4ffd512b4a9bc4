"""Features of logins: hand-computed examples, and a guess that hits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.access import ACCOUNT_5M, IP_1M

Measure = Callable[..., list[dict[str, Any]]]


def login(at: float, account: str | None, outcome: str | None) -> dict[str, Any]:
    return {"at": at, "kind": "login", "account": account, "outcome": outcome}


def test_tries_are_counted_by_account(measure: Measure) -> None:
    tries = [("ann", "failure"), ("bob", "failure"), ("bob", "success"), ("cid", None)]
    rows = [login(i, *told) for i, told in enumerate(tries)]
    [window] = measure(IP_1M, *rows, {"at": 9, "account": "dan"})

    assert window["login_tries"] == 4
    assert window["login_failures"] == 2
    assert window["login_failure_share"] == 0.5
    assert window["accounts_tried"] == 3
    assert window["tries_per_account"] == pytest.approx(4 / 3)
    assert window["accounts"] == 4
    assert window["hits"] == 0


def test_a_success_after_three_failures_of_its_account_is_a_hit(measure: Measure) -> None:
    spread = [login(i, name, "failure") for i, name in enumerate("abc")]
    guessed = [login(10 + i, "d", "failure") for i in range(3)]
    [window] = measure(
        IP_1M, *spread, login(5, "a", "success"), *guessed, login(20, "d", "success")
    )
    assert window["hits"] == 1


def test_failures_are_forgotten_with_a_success_and_with_the_window(measure: Measure) -> None:
    failed = [login(i, "d", "failure") for i in range(3)]
    first, second = measure(
        ACCOUNT_5M,
        *failed,
        login(4, "d", "success"),
        login(5, "d", "success"),
        *[login(295 + i, "d", "failure") for i in range(3)],
        login(301, "d", "success"),
    )
    assert (first["hits"], second["hits"]) == (1, 0)


def test_privileged_actions_are_counted(measure: Measure) -> None:
    rows = [
        {"at": 0, "kind": "sudo", "outcome": "success"},
        {"at": 1, "kind": "sudo", "outcome": "failure"},
        {"at": 2, "kind": "key_created"},
        {"at": 3, "kind": "withdrawal"},
    ]
    [window] = measure(ACCOUNT_5M, *rows)
    names = ("privileged", "privileged_failures", "keys_created", "withdrawals", "login_tries")
    assert [window[name] for name in names] == [2, 1, 1, 1, 0]
    assert window["login_failure_share"] is None
