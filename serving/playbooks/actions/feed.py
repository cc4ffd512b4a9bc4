"""Market-data feeds: taken from another source, and back from the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import text

__all__ = ["ACTIONS"]

USUAL = "primary"


def _elsewhere(parameters: Mapping[str, Any]) -> Wanted:
    feed, to = text(parameters, "feed"), text(parameters, "to")
    return [named("feeds", feed)], {"source": to}, f"take feed {feed} from {to}"


def _back(parameters: Mapping[str, Any]) -> Wanted:
    feed = text(parameters, "feed")
    return [named("feeds", feed)], {"source": USUAL}, f"take feed {feed} from {USUAL} again"


ACTIONS = [
    AdminAction("feed.fail_over", "takes a feed from another source", "contain", _elsewhere),
    AdminAction("feed.restore", "takes a feed from its usual source", "restore", _back),
]
