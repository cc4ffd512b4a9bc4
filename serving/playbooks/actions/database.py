"""The platform's database: a query that takes too long is ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.playbooks.actions.admin import AdminAction, Wanted, named
from serving.playbooks.actions.parameters import text

__all__ = ["ACTIONS"]


def _killed(parameters: Mapping[str, Any]) -> Wanted:
    query = text(parameters, "query")
    return [named("database/queries", query)], {"state": "killed"}, f"kill query {query}"


ACTIONS = [AdminAction("database.kill_query", "ends one query", "contain", _killed)]
