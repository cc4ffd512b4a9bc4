"""Every action that a playbook may name."""

from __future__ import annotations

from serving.playbooks.action import Action
from serving.playbooks.actions import (
    account,
    analyse,
    calls,
    checks,
    database,
    evidence,
    feed,
    gates,
    key,
    market,
    queue,
    service,
    tell,
    watch,
)
from serving.playbooks.actions.rescue import ProposeRescue
from serving.playbooks.actions.soak import Soak

__all__ = ["ACTIONS"]

_ALL: list[Action] = [
    *calls.ACTIONS,
    ProposeRescue(),
    Soak(),
    *gates.ACTIONS,
    *account.ACTIONS,
    *key.ACTIONS,
    *market.ACTIONS,
    *feed.ACTIONS,
    *service.ACTIONS,
    *database.ACTIONS,
    *queue.ACTIONS,
    *evidence.ACTIONS,
    *analyse.ACTIONS,
    *watch.ACTIONS,
    *tell.ACTIONS,
    *checks.ACTIONS,
]
ACTIONS: dict[str, Action] = {action.name: action for action in _ALL}
"""By name."""
