"""Queues: set aside what waits in one, and put it back. Orders are never set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.playbooks.action import ParameterError
from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import text

__all__ = ["ACTIONS"]


def _drained(aside: bool) -> Callable[[Mapping[str, Any]], Wanted]:
    def wanted(parameters: Mapping[str, Any]) -> Wanted:
        queue = text(parameters, "queue")
        if "order" in queue.lower():
            raise ParameterError(f"queue is {queue!r}; expected one that holds no orders")
        words = f"set aside what waits in {queue}" if aside else f"put back what {queue} set aside"
        return [named("queues", queue)], {"drained": aside}, words

    return wanted


def _no_orders(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    # A queue that does not say what it holds may hold orders.
    kind = str(state.get("kind", "")).lower()
    return "" if kind and "order" not in kind else f"holds {kind or 'nobody knows what'}: no orders"


ACTIONS = [
    AdminAction(
        "queue.drain_to_dead_letter", "sets a queue aside", "contain", _drained(True), _no_orders
    ),
    AdminAction("queue.redrive", "puts back what was set aside", "restore", _drained(False)),
]
