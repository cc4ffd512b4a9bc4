"""Incidents: listed, shown with their timeline, documented, closed, exported."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import reading
from serving.alerts.acts import close_incident, document
from serving.alerts.lifecycle import AlertError
from serving.api.pages import Cursor, Limit, Page, page
from serving.api.shared import At, Store, Time
from serving.auth import Operator, Responder, Viewer
from serving.export import document_of, to_markdown
from serving.severity import Severity
from serving.store.tables import alert_notes, alerts, incidents, outbox, run_steps, runs

__all__ = ["router"]

router = APIRouter(prefix="/v1/incidents", tags=["incidents"])
MOST = 1_000
Text = Annotated[str, Field(max_length=20_000)]


class Documentation(BaseModel):
    """What people write about an incident; only what is given is changed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"resolution": "Rolled back.", "owner": "ann"}]},
    )

    owner: Annotated[str, Field(max_length=64)] | None = None
    summary: Text | None = None
    timeline: Text | None = None
    metrics: Text | None = None
    action_taken: Text | None = None
    resolution: Text | None = None


@router.get("")
def list_incidents(
    store: Store,
    who: Viewer,
    state: Literal["open", "resolved"] | None = None,
    severity: Annotated[list[Severity] | None, Query(max_length=5)] = None,
    since: Time | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page:
    """Incidents, the newest first."""
    query = sa.select(incidents)
    if state is not None:
        query = query.where(incidents.c.state == state)
    if severity:
        query = query.where(incidents.c.severity.in_([one.value for one in severity]))
    if since is not None:
        query = query.where(incidents.c.opened_at >= since)
    with reading(store) as connection:
        return page(
            connection, query, incidents.c.opened_at, incidents.c.id, limit=limit, cursor=cursor
        )


@router.get("/{incident}")
def show_incident(incident: str, store: Store, who: Viewer) -> dict[str, Any]:
    """One incident: its alerts, messages, runs, and its timeline, the oldest first."""
    with reading(store) as connection:
        return _whole(connection, incident)


@router.patch("/{incident}")
def document_incident(
    incident: str, given: Documentation, store: Store, who: Operator, now: At
) -> dict[str, Any]:
    """Write documentation fields, or the owner."""
    fields = given.model_dump(exclude_none=True)
    with store.begin() as connection:
        return document(connection, incident, fields, who=who.name, now=now)


@router.post("/{incident}/close")
def close(incident: str, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """Resolve an incident and what still fires in it."""
    with store.begin() as connection:
        return close_incident(connection, incident, who=who.name, now=now)


@router.get(
    "/{incident}/markdown",
    response_class=Response,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
def export_incident(incident: str, store: Store, who: Viewer) -> Response:
    """One incident as a document for people, with the draft of a post-mortem."""
    with reading(store) as connection:
        document = document_of(connection, incident)
    return Response(to_markdown(document), media_type="text/markdown; charset=utf-8")


def _whole(connection: sa.Connection, incident: str) -> dict[str, Any]:
    wanted = sa.select(incidents).where(incidents.c.id == incident)
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        raise AlertError(f"no incident {incident}")

    def of(table: sa.Table, order: sa.Column[Any]) -> list[dict[str, Any]]:
        mine = sa.select(table).where(table.c.incident == incident).order_by(order).limit(MOST)
        return [dict(found) for found in connection.execute(mine).mappings()]

    found, notes = of(alerts, alerts.c.opened_at), of(alert_notes, alert_notes.c.id)
    told, playbooks = of(outbox, outbox.c.created_at), of(runs, runs.c.started_at)
    ids = [run["id"] for run in playbooks]
    over = sa.select(run_steps).where(run_steps.c.run.in_(ids), run_steps.c.ended_at.is_not(None))
    steps = [dict(step) for step in connection.execute(over).mappings()]
    timeline = [
        {"at": n["at"], "who": n["who"], "what": n["what"], "subject": n["alert"], **_why(n)}
        for n in notes
    ]
    also = Counter(message["payload"]["detail"].get("told_with") for message in told)
    timeline += [
        {
            "at": m["sent_at"],
            "who": "tocsin",
            "what": f"told {m['channel']}",
            "subject": m["alert"],
            "why": m["action"]
            + (f"; {n} more like it were not sent" if (n := also[m["id"]]) else ""),
        }
        for m in told
        if m["sent_at"] is not None
    ]
    timeline += [
        {
            "at": s["ended_at"],
            "who": "playbook",
            "what": f"{s['step']} {s['state']}",
            "subject": s["run"],
            "why": s["why"],
        }
        for s in steps
    ]
    shown = ("id", "channel", "action", "state", "due_at", "sent_at", "error")
    return {
        **row,
        "alerts": found,
        "messages": [{name: message[name] for name in shown} for message in told],
        "runs": [{name: run[name] for name in run if name != "definition"} for run in playbooks],
        "timeline": sorted(timeline, key=lambda entry: entry["at"]),
    }


def _why(note: dict[str, Any]) -> dict[str, str]:
    detail = note["detail"]
    return {"why": str(detail.get("why") or detail.get("text") or detail.get("verdict") or "")}
