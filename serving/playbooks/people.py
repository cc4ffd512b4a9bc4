"""What people do to runs: approve, sign off, skip, pause, go on, abort, take back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from pipeline.database import upsert
from serving.alerts.acts import FIELDS, document
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.rows import FRESH, Row, RunError, by_the_book, may, note, person, step_row
from serving.playbooks.waiting import END
from serving.store.keys import Principal, Role
from serving.store.tables import incidents, run_steps, runs

__all__ = ["RunError", "approve", "approve_all", "sign_off", "skip", "steer", "take_back"]


def approve(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> Row:
    """Approve a step that waits for it; it acts once enough different people have.

    Raises
    ------
    RunError
        The step does not wait for approval, the person may not, or has approved already.
    """
    row, _ = _waiting(connection, run, step, "approval", principal)
    person(principal)
    _counted(row, step, principal, now)
    if len(row["approvals"]) >= row["people"]:
        # Its time to act begins now, however long people took.
        row |= {"state": "approved", "due_at": now, "started_at": None}
    upsert(connection, run_steps, [row])
    detail = {"step": step, "of": row["people"], "effect": row["effect"]}
    note(connection, run, step, row["state"], principal, "approved", detail, now)
    return row


def approve_all(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> list[Row]:
    """Approve a step in this run and in all of its playbook and incident where it waits for it.

    Where the person has approved already, somebody else must.

    Raises
    ------
    RunError
        There is none that the person may approve.
    """
    mine = runs.alias()
    waiting = (
        sa.select(run_steps.c.run, run_steps.c.approvals)
        .join(runs, runs.c.id == run_steps.c.run)
        .join(mine, sa.and_(mine.c.playbook == runs.c.playbook, mine.c.incident == runs.c.incident))
        .where(
            mine.c.id == run,
            runs.c.state.in_(("running", "paused")),
            run_steps.c.step == step,
            run_steps.c.state == "approval",
        )
        # In one order, so that two people who approve the same wait for each other only one way.
        .order_by(run_steps.c.run)
        .with_for_update(of=run_steps)
    )
    wanted = [
        found.run
        for found in connection.execute(waiting).all()
        if all(one["who"] != principal.name for one in found.approvals)
    ]
    return [approve(connection, one, step, principal, now=now) for one in wanted or [run]]


def sign_off(
    connection: sa.Connection,
    run: str,
    step: str,
    principal: Principal,
    evidence: Mapping[str, str],
    *,
    now: datetime,
) -> Row:
    """Say that a step was done by hand, with what it asks to be written down.

    What is named as a documentation field of the incident is written there too. Where several
    must sign, the step is done when the last has.

    Raises
    ------
    RunError
        The step is not done by hand, is not due yet, or evidence is missing.
    """
    row, definition = _waiting(connection, run, step, "manual", principal)
    given = {**row["outcome"].get("facts", {}), **evidence}
    if missing := [name for name in definition.evidence if not given.get(name, "").strip()]:
        raise RunError(f"step {step} cannot be signed off: {', '.join(missing)} is empty")
    if definition.people > 1:
        person(principal)
    _counted(row, step, principal, now)
    names = " and ".join(one["who"] for one in row["approvals"])
    done = {**row["outcome"], "done": f"signed off by {names}", "facts": given}
    row |= {"outcome": done, "why": done["done"]}
    if len(row["approvals"]) >= definition.people:
        row |= {"state": "done", "ended_at": now}
    upsert(connection, run_steps, [row])
    if fields := {name: given[name] for name in FIELDS if name in evidence}:
        _document(connection, run, fields, principal, now)
    note(connection, run, step, row["state"], principal, "signed_off", done, now)
    return row


def skip(
    connection: sa.Connection, run: str, step: str, principal: Principal, why: str, *, now: datetime
) -> Row:
    """Leave a step out, with a reason.

    Raises
    ------
    RunError
        The step is over or acting, the person may not, or there is no reason.
    """
    row = step_row(connection, run, step)
    may(principal, by_the_book(connection, run, step))
    if row["state"] in (*END, "acting"):
        raise RunError(f"step {step} is {row['state']}")
    if not why.strip():
        raise RunError(f"step {step} cannot be skipped without a reason")
    row |= {"state": "skipped", "why": why, "ended_at": now}
    upsert(connection, run_steps, [row])
    note(connection, run, step, "skipped", principal, "skipped", {"why": why}, now)
    return row


def steer(
    connection: sa.Connection,
    run: str,
    what: Literal["pause", "resume", "abort"],
    principal: Principal,
    *,
    now: datetime,
) -> None:
    """Stop a run for a while, go on with it, or end it; what is done stays done.

    Raises
    ------
    RunError
        There is no such run, or it is not in a state for this, or the person may not.
    """
    if not principal.role.may(Role.RESPONDER):
        raise RunError(f"{principal.name} is {principal.role}; expected a responder")
    before, after = {
        "pause": (("running",), "paused"),
        "resume": (("paused",), "running"),
        "abort": (("running", "paused"), "aborted"),
    }[what]
    ended = now if what == "abort" else None
    changed = connection.execute(
        runs.update()
        .where(runs.c.id == run, runs.c.state.in_(before))
        .values(state=after, ended_at=ended)
    )
    if not changed.rowcount:
        raise RunError(f"run {run} is not {' or '.join(before)}")
    if what == "abort":
        _leave_out_the_rest(connection, run, principal, now)
    note(connection, run, "", after, principal, what, {}, now)


def take_back(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> Row:
    """Ask for the undo of a step that is done: a step of its own, that people approve.

    Raises
    ------
    RunError
        The step is not done, has no way back, or it was asked for already.
    """
    row, definition = step_row(connection, run, step), by_the_book(connection, run, step)
    may(principal, definition)
    if row["state"] != "done" or not definition.undo:
        raise RunError(f"step {step} is {row['state']} and has no way back")
    undo = f"{step}_undo"
    wanted = sa.select(runs).where(runs.c.id == run).with_for_update()
    found = dict(connection.execute(wanted).mappings().one())
    playbook = found["definition"]
    if any(one["id"] == undo for phase in playbook["phases"] for one in phase["steps"]):
        raise RunError(f"step {step} is being taken back already")
    # Into the first phase: it waits for nothing but people.
    added = {
        "id": undo,
        "title": f"Take back: {definition.title}",
        "kind": "approval",
        "action": definition.undo,
        "with": definition.parameters,
        "people": definition.people,
        "role": definition.role,
        "owner": definition.owner,
    }
    playbook["phases"][0]["steps"].append(added)
    steps = [one for _, one in Playbook.model_validate(playbook).steps]
    again = {"state": "running", "ended_at": None} if found["state"] in ("done", "aborted") else {}
    values = {"definition": playbook, **again}
    connection.execute(runs.update().where(runs.c.id == run).values(values))
    fresh: Row = {**FRESH, "run": run, "step": undo, "position": len(steps) - 1, "due_at": now}
    upsert(connection, run_steps, [fresh])
    # What would do the same by itself later must not undo the undo.
    same = (definition.action, definition.parameters)
    fallbacks = {one.otherwise for one in steps}
    repeats = [one.id for one in steps if (one.action, one.parameters) == same]
    due = (run_steps.c.run == run, run_steps.c.step.in_({*repeats} - fallbacks))
    connection.execute(
        run_steps.update()
        .where(*due, run_steps.c.state == "waiting")
        .values(state="skipped", why=f"{step} is being taken back", ended_at=now)
    )
    note(connection, run, undo, "waiting", principal, "asked_to_take_back", {"of": step}, now)
    return fresh


def _waiting(
    connection: sa.Connection, run: str, step: str, state: str, principal: Principal
) -> tuple[Row, Step]:
    row, definition = step_row(connection, run, step), by_the_book(connection, run, step)
    may(principal, definition)
    if row["state"] != state:
        raise RunError(f"step {step} is {row['state']}; expected one that waits for {state}")
    return row, definition


def _counted(row: Row, step: str, principal: Principal, now: datetime) -> None:
    if any(one["who"] == principal.name for one in row["approvals"]):
        raise RunError(f"{principal.name} has approved {step} already; expected somebody else")
    row["approvals"] = [*row["approvals"], {"who": principal.name, "at": now.isoformat()}]


def _document(
    connection: sa.Connection, run: str, fields: Row, principal: Principal, now: datetime
) -> None:
    incident = connection.execute(sa.select(runs.c.incident).where(runs.c.id == run)).scalar_one()
    known = sa.select(incidents.c.id).where(incidents.c.id == incident)
    if connection.execute(known).first() is not None:  # a drill has none
        document(connection, incident, fields, who=principal.name, now=now)


def _leave_out_the_rest(
    connection: sa.Connection, run: str, principal: Principal, now: datetime
) -> None:
    """End what is open: a run that goes on later, to take a step back, must not go on with it."""
    mine = (run_steps.c.run == run, run_steps.c.state.not_in(END))
    why = f"aborted by {principal.name}"
    acting = "aborted while it acted: look whether it took effect"
    connection.execute(
        run_steps.update()
        .where(*mine, run_steps.c.state == "acting")
        .values(state="failed", why=acting, ended_at=now)
    )
    connection.execute(
        run_steps.update().where(*mine).values(state="skipped", why=why, ended_at=now)
    )
