"""Lists by cursor: newest first, stable while rows are added."""

from __future__ import annotations

import base64
import math
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


GRADE = "_grade"


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
    first: sa.ColumnElement[float] | None = None,
) -> Page:
    """Run a query newest first, from where a cursor says.

    Parameters
    ----------
    first : sqlalchemy.ColumnElement, optional
        Amounts of at least 0 that go before time, the greatest first; null counts as 0.
    """
    grade = sa.func.coalesce(first, 0.0) if first is not None else sa.literal(0.0)
    if cursor is not None:
        most, at, last = _read(cursor)
        later = sa.or_(time < at, sa.and_(time == at, key < last))
        query = query.where(sa.or_(grade < most, sa.and_(grade == most, later)))
    order: tuple[sa.ColumnElement[Any], ...] = (time.desc(), key.desc())
    if first is not None:
        order = (grade.desc(), *order)
    # The store's own sum goes into the cursor: one made here might differ in its last digit.
    asked = query.add_columns(grade.label(GRADE)).order_by(*order).limit(limit + 1)
    found = [dict(row) for row in connection.execute(asked).mappings()]
    grades = [float(row.pop(GRADE)) for row in found]
    shown = found[:limit]
    following = None
    if len(found) > limit:
        following = _write(grades[limit - 1], shown[-1][time.name], shown[-1][key.name])
    return Page(items=shown, next=following)


def _write(grade: float, time: datetime, key: Any) -> str:
    place = f"{grade!r}|{time.isoformat()}|{key}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read(cursor: str) -> tuple[float, datetime, str]:
    try:
        grade, at, last = base64.urlsafe_b64decode(cursor.encode()).decode().split("|", 2)
        place = float(grade), datetime.fromisoformat(at), last
        if place[1].tzinfo is None or not math.isfinite(place[0]):
            raise ValueError("no place in a list")
    except ValueError as error:
        said = "cursor: expected the `next` of an earlier answer"
        raise ProblemError(422, "Invalid request", said, field="cursor") from error
    return place
