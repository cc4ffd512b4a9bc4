"""API keys: revoked for good, or held to so many requests a minute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import listed, whole

__all__ = ["ACTIONS"]


def _revoked(parameters: Mapping[str, Any]) -> Wanted:
    keys = listed(parameters, "key")
    return [named("keys", key) for key in keys], {"revoked": True}, f"revoke {', '.join(keys)}"


def _throttled(parameters: Mapping[str, Any]) -> Wanted:
    keys, rate = listed(parameters, "key"), whole(parameters, "per_minute", least=1, most=10**6)
    words = f"hold {', '.join(keys)} to {rate} requests a minute"
    return [named("keys", key) for key in keys], {"per_minute": rate}, words


def _let_go(parameters: Mapping[str, Any]) -> Wanted:
    keys = listed(parameters, "key")
    words = f"lift the throttle of {', '.join(keys)}"
    return [named("keys", key) for key in keys], {"per_minute": None}, words


ACTIONS = [
    AdminAction("key.revoke", "ends an API key for good", "contain", _revoked),
    AdminAction("key.throttle", "slows an API key down", "contain", _throttled),
    AdminAction("key.unthrottle", "lifts a throttle", "restore", _let_go),
]
