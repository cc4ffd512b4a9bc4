"""Where the risk book is kept: one row an entity, of which each step writes those that changed."""

from __future__ import annotations

import sqlalchemy as sa

from models.risk import RiskBook
from serving.store.tables import memory

__all__ = ["RISK", "read_risk"]

RISK = "risk"
"""The part of the memory that holds it."""


def read_risk(connection: sa.Connection) -> RiskBook:
    """The risk book as the stream last wrote it."""
    wanted = sa.select(memory.c.key, memory.c.state).where(memory.c.part == RISK)
    book = RiskBook()
    book.restore({row.key: row.state for row in connection.execute(wanted)})
    return book
