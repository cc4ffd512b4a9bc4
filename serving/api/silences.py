"""Silences and maintenance: made with an end, tried before they are made, ended early."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import reading
from serving.alerts.lifecycle import AlertError, State
from serving.alerts.matchers import Matcher, matches
from serving.alerts.record import alert_labels
from serving.api.pages import Cursor, Limit, Page, page
from serving.api.problems import ProblemError
from serving.api.shared import At, Store, Time
from serving.auth import Responder, Viewer
from serving.store.audit import record
from serving.store.tables import alerts, changes, silences

__all__ = ["router"]

router = APIRouter(prefix="/v1/silences", tags=["silences"])

LONGEST = timedelta(days=30)
Matchers = Annotated[list[Matcher], Field(min_length=1, max_length=20)]
EXAMPLE: dict[str, Any] = {
    "matchers": [{"label": "entity", "operator": "=", "value": "db-1"}],
    "ends_at": "2026-01-31T13:00:00Z",
    "comment": "disk is being replaced",
}


class Silence(BaseModel):
    """Alerts that match are kept, and nobody is told of them until the end."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    kind: Literal["silence", "maintenance"] = "silence"
    matchers: Matchers
    starts_at: Time | None = Field(None, description="By default now.")
    ends_at: Time = Field(description="At most 30 days after the start.")
    comment: str = Field(min_length=1, max_length=1_000)


class Trial(BaseModel):
    """Matchers to try."""

    model_config = ConfigDict(extra="forbid")

    matchers: Matchers


class Matching(BaseModel):
    """Alerts that are not resolved and would be muted now."""

    count: int
    items: list[dict[str, Any]]


@router.get("")
def list_silences(
    store: Store,
    who: Viewer,
    now: At,
    active: bool | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page:
    """Silences, those that end last first."""
    query = sa.select(silences)
    if active is not None:
        in_force = sa.and_(silences.c.starts_at <= now, silences.c.ends_at > now)
        query = query.where(in_force if active else sa.not_(in_force))
    with reading(store) as connection:
        return page(
            connection, query, silences.c.ends_at, silences.c.id, limit=limit, cursor=cursor
        )


@router.post("", status_code=201)
def make_silence(given: Silence, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """Make a silence."""
    starts = given.starts_at or now
    _check_end(given.ends_at, starts, now)
    row = {
        "id": secrets.token_hex(8),
        "kind": given.kind,
        "matchers": [matcher.model_dump() for matcher in given.matchers],
        "starts_at": starts,
        "ends_at": given.ends_at,
        "created_by": who.name,
        "comment": given.comment,
        "warned_at": None,
    }
    with store.begin() as connection:
        connection.execute(silences.insert().values(**row))
        _told(connection, row, "made", who.name, now)
    return row


@router.post("/preview")
def preview(given: Trial, store: Store, who: Viewer) -> Matching:
    """Which alerts a silence with these matchers would mute now."""
    wanted = sa.select(alerts).where(alerts.c.state != State.RESOLVED)
    with reading(store) as connection:
        rows = [dict(row) for row in connection.execute(wanted).mappings()]
    found = [row for row in rows if matches(given.matchers, alert_labels(row))]
    shown = ("id", "title", "severity", "state", "entity", "view", "labels")
    items = [{name: row[name] for name in shown} for row in found[:100]]
    return Matching(count=len(found), items=items)


@router.post("/{silence}/end")
def end_silence(silence: str, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """End a silence now."""
    with store.begin() as connection:
        wanted = sa.select(silences).where(silences.c.id == silence).with_for_update()
        found = connection.execute(wanted).mappings().one_or_none()
        if found is None:
            raise AlertError(f"no silence {silence}")
        row = dict(found)
        if row["ends_at"] <= now:
            raise AlertError(f"silence {silence} is over since {row['ends_at']:%Y-%m-%d %H:%M UTC}")
        row["ends_at"], row["starts_at"] = now, min(row["starts_at"], now)
        connection.execute(silences.update().where(silences.c.id == silence).values(**row))
        _told(connection, row, "ended", who.name, now)
    return row


def _check_end(ends: datetime, starts: datetime, now: datetime) -> None:
    try:
        fine = now < ends <= starts + LONGEST and starts < ends
    except OverflowError:
        fine = False
    if not fine:
        said = f"ends_at is {ends.isoformat()}; expected after the start and now, within 30 days"
        raise ProblemError(422, "Invalid request", said, field="ends_at")


def _told(
    connection: sa.Connection, row: dict[str, Any], what: str, who: str, now: datetime
) -> None:
    detail = {"matchers": row["matchers"], "until": row["ends_at"].isoformat()}
    shown = {"id": row["id"], "kind": row["kind"], "state": what, "comment": row["comment"]}
    connection.execute(
        changes.insert().values(at=now, kind="silence", subject=row["id"], fields=shown)
    )
    record(connection, who=who, what=f"silence.{what}", subject=row["id"], detail=detail, now=now)
