"""Lists by cursor: newest first, stable while rows are added."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Query
from pydantic import BaseModel

from serving.api.problems import ProblemError

__all__ = ["Cursor", "Limit", "Page", "page"]

Limit = Annotated[int, Query(ge=1, le=500, description="Most rows of an answer.")]
Cursor = Annotated[
    str | None, Query(max_length=200, description="`next` of the answer before this one.")
]


class Page(BaseModel):
    """Rows, and where the next ones begin; null at the end."""

    items: list[dict[str, Any]]
    next: str | None


def page(
    connection: sa.Connection,
    query: sa.Select[Any],
    time: sa.Column[Any],
    key: sa.Column[Any],
    *,
    limit: int,
    cursor: str | None,
) -> Page:
    """Run a query newest first, from where a cursor says."""
    if cursor is not None:
        at, last = _read(cursor)
        query = query.where(sa.or_(time < at, sa.and_(time == at, key < last)))
    rows = connection.execute(query.order_by(time.desc(), key.desc()).limit(limit + 1))
    found = [dict(row) for row in rows.mappings()]
    newest = found[:limit]
    following = None
    if len(found) > limit:
        following = _write((newest[-1][time.name], newest[-1][key.name]))
    return Page(items=newest, next=following)


def _write(place: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(f"{place[0].isoformat()}|{place[1]}".encode()).decode()


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, last = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        time = datetime.fromisoformat(at)
    except ValueError as error:
        said = "cursor: expected the `next` of an earlier answer"
        raise ProblemError(422, "Invalid request", said, field="cursor") from error
    if time.tzinfo is None:
        said = "cursor: expected the `next` of an earlier answer"
        raise ProblemError(422, "Invalid request", said, field="cursor")
    return time, last
