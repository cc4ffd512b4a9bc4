"""Markets: a symbol halted, and resumed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import text

__all__ = ["ACTIONS"]


def _market(halted: bool) -> Callable[[Mapping[str, Any]], Wanted]:
    def wanted(parameters: Mapping[str, Any]) -> Wanted:
        symbol = text(parameters, "symbol")
        words = f"{'halt' if halted else 'resume'} trading of {symbol}"
        return [named("markets", symbol)], {"halted": halted}, words

    return wanted


ACTIONS = [
    AdminAction("market.halt", "stops the trading of one symbol", "contain", _market(True)),
    AdminAction("market.resume", "lets one symbol trade again", "restore", _market(False)),
]
