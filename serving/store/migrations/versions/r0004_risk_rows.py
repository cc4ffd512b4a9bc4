"""The risk book: one row an entity in place of one row in all."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

__all__ = ["down_revision", "revision", "upgrade"]

revision = "0004"
down_revision = "0003"

memory = sa.table("memory", sa.column("part"), sa.column("key"), sa.column("state", sa.JSON))
book = (memory.c.part == "risk") & (memory.c.key == "book")


def upgrade() -> None:
    """Write what the book holds of each entity into a row of its own."""
    connection = op.get_bind()
    state = connection.execute(sa.select(memory.c.state).where(book)).scalar_one_or_none()
    if state is None:
        return
    rows: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"inputs": [], "links": {}, "criticality": 1.0}
    )
    for entity, *given in state["inputs"]:
        rows[entity]["inputs"].append(given)
    for origin, target, share in state["links"]:
        rows[target]["links"][origin] = share
    for entity, criticality in state["criticality"]:
        rows[entity]["criticality"] = criticality
    connection.execute(memory.delete().where(book))
    if rows:
        connection.execute(memory.insert(), [_row(entity, rows[entity]) for entity in rows])


def _row(entity: str, state: dict[str, Any]) -> dict[str, Any]:
    if len(entity) <= 255:
        return {"part": "risk", "key": entity, "state": state}
    key = hashlib.sha256(entity.encode()).hexdigest()
    return {"part": "risk", "key": key, "state": {**state, "entity": entity}}
