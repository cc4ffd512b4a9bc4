"""Where the risk book is kept: one row an entity, of which each step writes those that changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from models.risk import RiskBook
from serving.rules.hold import LONGEST_KEY
from serving.store.tables import memory

__all__ = ["RISK", "changed_risk", "read_risk", "restore_risk"]

RISK = "risk"
"""The part of the memory that holds it."""


def changed_risk(book: RiskBook) -> dict[str, dict[str, Any] | None]:
    """The rows of the memory that changed since the last call, by key; None where forgotten."""
    rows: dict[str, dict[str, Any] | None] = {}
    for entity, row in book.state().items():
        if len(entity) > LONGEST_KEY:
            key = hashlib.sha256(entity.encode()).hexdigest()
            rows[key] = row and {**row, "entity": entity}
        else:
            rows[entity] = row
    return rows


def restore_risk(book: RiskBook, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Begin again from the rows of the memory.

    Raises
    ------
    StateError
        A row holds no risk.
    """
    book.restore({row.get("entity", key): row for key, row in rows.items()})


def read_risk(connection: sa.Connection) -> RiskBook:
    """The risk book as the stream last wrote it."""
    wanted = sa.select(memory.c.key, memory.c.state).where(memory.c.part == RISK)
    book = RiskBook()
    restore_risk(book, {row.key: row.state for row in connection.execute(wanted)})
    return book
