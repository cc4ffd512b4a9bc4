"""Gates of the platform: trading and withdrawals, for all, or for a symbol, account or contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import choice, text

__all__ = ["ACTIONS"]

SCOPES = ("all", "symbol", "account", "contract")


def _gate(what: str, opened: bool) -> Callable[[Mapping[str, Any]], Wanted]:
    def wanted(parameters: Mapping[str, Any]) -> Wanted:
        scope = choice(parameters, "scope", SCOPES, "all")
        name = "" if scope == "all" else text(parameters, "name")
        resource = f"gates/{what}" if not name else named(f"gates/{what}/{scope}", name)
        whom = f"{scope} {name}" if name else "all"
        return [resource], {"open": opened}, f"{'open' if opened else 'close'} {what} for {whom}"

    return wanted


ACTIONS = [
    AdminAction("platform.gate_trading", "stops new orders", "contain", _gate("trading", False)),
    AdminAction("platform.open_trading", "lets orders in", "restore", _gate("trading", True)),
    AdminAction(
        "platform.gate_withdrawals", "stops withdrawals", "contain", _gate("withdrawals", False)
    ),
    AdminAction(
        "platform.open_withdrawals", "lets withdrawals out", "restore", _gate("withdrawals", True)
    ),
]
