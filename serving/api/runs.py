"""Playbook runs: listed, shown, and what people decide in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from pipeline.database import reading
from serving.api.pages import Cursor, Limit, Page, page
from serving.api.shared import At, House, Store
from serving.auth import Admin, Responder, Viewer
from serving.playbooks.links import LASTS, Link, follow, house_secret, opened, signed
from serving.playbooks.overrule import force, retry
from serving.playbooks.people import (
    RunError,
    approve,
    approve_all,
    sign_off,
    skip,
    steer,
    take_back,
)
from serving.playbooks.policy import PEOPLE
from serving.playbooks.rows import person, step_row
from serving.store.tables import run_steps, runs

__all__ = ["approvals", "playbooks", "router"]

router = APIRouter(prefix="/v1/runs", tags=["playbooks"])


Token = Annotated[str, Path(max_length=2_000)]


class Evidence(BaseModel):
    """What a person writes down to sign a step off, by the names that the step asks for."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"evidence": {"seen": "gap closed"}}]}
    )

    evidence: dict[str, Annotated[str, Field(max_length=20_000)]] = {}


class Why(BaseModel):
    """A reason."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=2_000)


@router.get("")
def list_runs(
    store: Store,
    who: Viewer,
    state: Literal["running", "paused", "done", "aborted"] | None = None,
    incident: str | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page:
    """Runs, the newest first, without their definitions."""
    shown = [column for column in runs.columns if column.name != "definition"]
    query = sa.select(*shown)
    if state is not None:
        query = query.where(runs.c.state == state)
    if incident is not None:
        query = query.where(runs.c.incident == incident)
    with reading(store) as connection:
        return page(connection, query, runs.c.started_at, runs.c.id, limit=limit, cursor=cursor)


@router.get("/{run}")
def show_run(run: str, store: Store, who: Viewer) -> dict[str, Any]:
    """One run: the playbook as it was when it began, and each step as it stands."""
    return _whole(store, run)


@router.post("/{run}/{what}")
def steer_run(
    run: str,
    what: Literal["pause", "resume", "abort"],
    store: Store,
    who: Responder,
    now: At,
) -> dict[str, Any]:
    """Stop a run for a while, go on with it, or end it; what is done stays done."""
    with store.begin() as connection:
        steer(connection, run, what, who, now=now)
    return _whole(store, run)


@router.post("/{run}/steps/{step}/approve")
def approve_step(run: str, step: str, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """Approve a step that waits for it; keys cannot, people can."""
    with store.begin() as connection:
        return approve(connection, run, step, who, now=now)


@router.post("/{run}/steps/{step}/approve-all")
def approve_step_of_all(
    run: str, step: str, store: Store, who: Responder, now: At
) -> list[dict[str, Any]]:
    """Approve a step in every run of the same playbook and incident where it waits for it."""
    with store.begin() as connection:
        return approve_all(connection, run, step, who, now=now)


@router.post("/{run}/steps/{step}/sign-off")
def sign_off_step(
    run: str, step: str, given: Evidence, store: Store, who: Responder, now: At
) -> dict[str, Any]:
    """Say that a step was done by hand, with the evidence it asks for."""
    with store.begin() as connection:
        return sign_off(connection, run, step, who, given.evidence, now=now)


@router.post("/{run}/steps/{step}/skip")
def skip_step(
    run: str, step: str, given: Why, store: Store, who: Responder, now: At
) -> dict[str, Any]:
    """Leave a step out, with a reason."""
    with store.begin() as connection:
        return skip(connection, run, step, who, given.why, now=now)


@router.post("/{run}/steps/{step}/take-back")
def take_back_step(run: str, step: str, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """Ask for the undo of a step that is done: a step of its own, that people approve."""
    with store.begin() as connection:
        return take_back(connection, run, step, who, now=now)


@router.post("/{run}/steps/{step}/retry")
def retry_step(run: str, step: str, store: Store, who: Responder, now: At) -> dict[str, Any]:
    """Have a step that failed tried again; a gate opens anew with the steps that it judges."""
    with store.begin() as connection:
        return retry(connection, run, step, who, now=now)


@router.post("/{run}/steps/{step}/force")
def force_step(
    run: str, step: str, given: Why, store: Store, who: Admin, now: At
) -> dict[str, Any]:
    """Break the glass: have a step contain something now, alone; every admin is told."""
    with store.begin() as connection:
        return force(connection, run, step, who, given.why, now=now)


@router.post("/{run}/steps/{step}/link")
def link_to_step(
    run: str, step: str, house: House, store: Store, who: Responder, now: At
) -> dict[str, Any]:
    """A signed link with which the one who asks approves this step, once, without signing in.

    It is for that person alone and as good as their session: keys get none.
    """
    person(who)
    with reading(store) as connection:
        step_row(connection, run, step)
    until = now + LASTS
    token = signed(house_secret(house.config.home), Link(run, step, who.name, until))
    return {"url": f"{house.settings.url}/approve/{token}", "until": until}


approvals = APIRouter(prefix="/v1/approvals", tags=["playbooks"])


@approvals.get("/{token}")
def show_approval(token: Token, house: House, store: Store, now: At) -> dict[str, Any]:
    """What a signed link allows, and how that step stands; looking approves nothing."""
    link = opened(house_secret(house.config.home), token, now=now)
    run = _whole(store, link.run)
    row = next(one for one in run["steps"] if one["step"] == link.step)
    steps = (one for phase in run["definition"]["phases"] for one in phase["steps"])
    step = next(one for one in steps if one["id"] == link.step)
    return {
        **link._asdict(),
        **{name: step[name] for name in ("title", "action", "with")},
        **{name: row[name] for name in ("state", "people", "approvals")},
        **{name: run[name] for name in ("incident", "parameters")},
        "playbook": run["definition"]["title"],
    }


@approvals.post("/{token}")
def follow_approval(token: Token, house: House, store: Store, now: At) -> dict[str, Any]:
    """Approve by a signed link, as the person that it was made for."""
    with store.begin() as connection:
        row = follow(connection, house_secret(house.config.home), token, now=now)
    return {name: row[name] for name in ("run", "step", "state", "approvals")}


playbooks = APIRouter(prefix="/v1/playbooks", tags=["playbooks"])


@playbooks.get("")
def list_playbooks(house: House, who: Viewer) -> list[dict[str, Any]]:
    """Every playbook, as the next run would begin with it."""
    found = house.library.values()
    return [playbook.model_dump(mode="json", by_alias=True) for playbook in found]


def _whole(store: sa.Engine, run: str) -> dict[str, Any]:
    with reading(store) as connection:
        wanted = sa.select(runs).where(runs.c.id == run)
        row = connection.execute(wanted).mappings().one_or_none()
        if row is None:
            raise RunError(f"no run {run}")
        mine = sa.select(run_steps).where(run_steps.c.run == run).order_by(run_steps.c.position)
        steps = [dict(step) for step in connection.execute(mine).mappings()]
    for step in steps:
        step["may_force"] = step["state"] == "approval" and not PEOPLE[step["effect"]]
    return {**row, "steps": steps}
