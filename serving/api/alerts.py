"""Alerts: listed, shown, and what people do to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import reading
from serving.alerts.acts import act
from serving.alerts.lifecycle import AlertError, State
from serving.api.pages import Cursor, Limit, Page, page
from serving.api.shared import At, Store, Time
from serving.auth import Operator, Viewer
from serving.severity import Severity
from serving.store.tables import alert_notes, alerts

__all__ = ["URGENCY", "router"]

router = APIRouter(prefix="/v1/alerts", tags=["alerts"])

SNOOZE = timedelta(days=7)

_STATES = {State.FIRING: 30, State.ACKNOWLEDGED: 20, State.PENDING: 10}
URGENCY: sa.ColumnElement[float] = (
    sa.case({state.value: grade for state, grade in _STATES.items()}, value=alerts.c.state, else_=0)
    + sa.case({one.value: 2 * one.rank for one in Severity}, value=alerts.c.severity, else_=0)
    + sa.func.coalesce(alerts.c.priority, alerts.c.risk / 100.0)
)
"""What needs people first: what fires, then what somebody has, then what is not certain yet; the
worse of these, and then the likelier to be real, or while triage abstains of the greater risk."""


class Act(BaseModel):
    """One thing done to several alerts, all or none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"ids": ["9f86d081884c7d65"], "what": "acknowledge"}]},
    )

    ids: list[str] = Field(min_length=1, max_length=500)
    what: Literal["acknowledge", "unacknowledge", "resolve", "snooze", "note", "verdict"]
    until: Time | None = None
    text: str = Field(default="", max_length=4_000)
    verdict: Literal["real", "noise", "wrong_team"] | None = None


class Acted(BaseModel):
    """The alerts as they are now."""

    items: list[dict[str, Any]]


@router.get("")
def list_alerts(
    store: Store,
    who: Viewer,
    state: Annotated[list[State] | None, Query(description="Any of these states.")] = None,
    severity: Annotated[list[Severity] | None, Query(max_length=5)] = None,
    view: str | None = None,
    entity: str | None = None,
    incident: str | None = None,
    since: Time | None = None,
    order: Annotated[
        Literal["newest", "triage", "urgent"],
        Query(
            description="The newest first; or by `priority`, the likeliest to be real first; or "
            "what needs people first: firing, acknowledged, pending; by severity; by `priority`, "
            "or by risk where it is null."
        ),
    ] = "newest",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page:
    """Alerts, the newest first, as triage ranks them, or the most urgent first."""
    query = sa.select(alerts)
    wanted: dict[Any, Any] = {
        alerts.c.view: view,
        alerts.c.entity: entity,
        alerts.c.incident: incident,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    if state:
        query = query.where(alerts.c.state.in_([one.value for one in state]))
    if severity:
        query = query.where(alerts.c.severity.in_([one.value for one in severity]))
    if since is not None:
        query = query.where(alerts.c.opened_at >= since)
    first = {"newest": None, "triage": alerts.c.priority, "urgent": URGENCY}[order]
    with reading(store) as connection:
        return page(
            connection,
            query,
            alerts.c.opened_at,
            alerts.c.id,
            limit=limit,
            cursor=cursor,
            first=first,
        )


@router.get("/{alert}")
def show_alert(alert: str, store: Store, who: Viewer) -> dict[str, Any]:
    """One alert with its notes: what happened to it, and why nobody was told."""
    with reading(store) as connection:
        wanted = sa.select(alerts).where(alerts.c.id == alert)
        row = connection.execute(wanted).mappings().one_or_none()
        if row is None:
            raise AlertError(f"no alert {alert}")
        notes = sa.select(alert_notes).where(alert_notes.c.alert == alert)
        found = connection.execute(notes.order_by(alert_notes.c.id)).mappings()
        return {**row, "notes": [dict(note) for note in found]}


@router.post("/acts")
def act_on_alerts(given: Act, store: Store, who: Operator, now: At) -> Acted:
    """Acknowledge, resolve, snooze, note or judge several alerts, all or none."""
    detail: dict[str, Any] = {}
    if given.what == "snooze":
        detail["until"] = _until(given.until, now)
    if given.what == "note":
        if not given.text.strip():
            raise AlertError("a note without a text cannot be kept")
        detail["text"] = given.text
    if given.what == "verdict":
        detail["verdict"] = given.verdict
    with store.begin() as connection:
        rows = act(connection, given.ids, given.what, who=who.name, now=now, detail=detail)
    return Acted(items=rows)


def _until(until: datetime | None, now: datetime) -> datetime:
    if until is None or not now < until <= now + SNOOZE:
        raise AlertError("snooze: until is missing or not within the next 7 days")
    return until
