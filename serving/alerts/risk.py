"""Where the risk book is kept: one row an entity, of which each step writes those that changed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from models.risk import Contribution, RiskBook
from serving.rules.actors import Actors
from serving.rules.hold import LONGEST_KEY
from serving.store.tables import memory

__all__ = [
    "RISK",
    "SHARE",
    "changed_risk",
    "forget",
    "in_words",
    "link_actor",
    "read_risk",
    "restore_risk",
]

RISK = "risk"
"""The part of the memory that holds it."""

SHARE = 0.5
"""Of its risk an account hands on to what is its own, and that to the account. Source: ours."""


def link_actor(book: RiskBook, entity: str, actors: Actors) -> None:
    """Let an entity hand on its risk to the account behind it or to the account's names, and back.

    What turned out to belong to more than one account is linked to none.
    """
    account = actors(entity)
    tied = {*actors.names(entity), *([] if account == entity else [account])}
    linked = set(book.links.into(entity))
    for other in tied - linked:
        _link(book, entity, other, SHARE)
    for other in linked - tied:
        if actors(other) != entity:
            _link(book, entity, other, 0.0)


def forget(book: RiskBook, now: datetime) -> None:
    """Drop what has faded for good, and links along which nothing is handed on any more."""
    book.forget(now)
    for entity in book.links.targets():
        if book.risk(entity, now).value == 0:
            for other in book.links.into(entity):
                _link(book, entity, other, 0.0)


def _link(book: RiskBook, one: str, other: str, share: float) -> None:
    book.link(one, other, share)
    book.link(other, one, share)


def in_words(part: Contribution) -> str:
    """A contribution to a risk as people read it."""
    if len(part.path) == 1:
        return part.note or part.source
    return f"handed on from {' to '.join(part.path)}"


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
