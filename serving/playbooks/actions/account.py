"""Accounts: frozen, so that nothing leaves them, and let go again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import listed

__all__ = ["ACTIONS"]


def _account(frozen: bool) -> Callable[[Mapping[str, Any]], Wanted]:
    def wanted(parameters: Mapping[str, Any]) -> Wanted:
        accounts = listed(parameters, "account")
        words = f"{'freeze' if frozen else 'unfreeze'} {', '.join(accounts)}"
        return [named("accounts", one) for one in accounts], {"frozen": frozen}, words

    return wanted


ACTIONS = [
    AdminAction("account.freeze", "lets nothing leave an account", "contain", _account(True)),
    AdminAction("account.unfreeze", "lets an account go again", "restore", _account(False)),
]
