"""What people do to runs: approve, sign off, skip, pause, go on, abort, take back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from pipeline.database import upsert
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.waiting import END
from serving.store.audit import record
from serving.store.keys import Principal, Role
from serving.store.tables import changes, run_steps, runs

__all__ = ["RunError", "approve", "sign_off", "skip", "steer", "take_back"]

Row = dict[str, Any]


class RunError(ValueError):
    """What was asked cannot be done to a run or step as it is, or not by this person."""


def approve(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> Row:
    """Approve a step that waits for it; it acts once enough different people have.

    Raises
    ------
    RunError
        The step does not wait for approval, the person may not, or has approved already.
    """
    row, definition = _waiting(connection, run, step, "approval", principal)
    # A key is not a person: what two people must decide, two keys of one person could.
    if principal.name.startswith("key:"):
        raise RunError(f"{principal.name} is a key; expected a person")
    if any(one["who"] == principal.name for one in row["approvals"]):
        raise RunError(f"{principal.name} has approved {step} already; expected somebody else")
    row["approvals"] = [*row["approvals"], {"who": principal.name, "at": now.isoformat()}]
    if len(row["approvals"]) >= row["people"]:
        row["state"] = "approved"
        row["due_at"] = min(row["due_at"], now)
    upsert(connection, run_steps, [row])
    detail = {"step": step, "of": row["people"], "effect": definition.action}
    _told(connection, run, step, row["state"], principal, "approved", detail, now)
    return row


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

    Raises
    ------
    RunError
        The step is not done by hand, is not due yet, or evidence is missing.
    """
    row, definition = _waiting(connection, run, step, "manual", principal)
    if missing := [name for name in definition.evidence if not evidence.get(name, "").strip()]:
        raise RunError(f"step {step} cannot be signed off: {', '.join(missing)} is empty")
    done = {"done": f"signed off by {principal.name}", "facts": dict(evidence)}
    row |= {"state": "done", "outcome": done, "why": done["done"], "ended_at": now}
    upsert(connection, run_steps, [row])
    _told(connection, run, step, "done", principal, "signed_off", done, now)
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
    row = _row(connection, run, step)
    _may(principal, _definition(connection, run, step))
    if row["state"] in (*END, "acting"):
        raise RunError(f"step {step} is {row['state']}")
    if not why.strip():
        raise RunError(f"step {step} cannot be skipped without a reason")
    row |= {"state": "skipped", "why": why, "ended_at": now}
    upsert(connection, run_steps, [row])
    _told(connection, run, step, "skipped", principal, "skipped", {"why": why}, now)
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
    _told(connection, run, "", after, principal, what, {}, now)


def take_back(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> Row:
    """Ask for the undo of a step that is done: a step of its own, that people approve.

    Raises
    ------
    RunError
        The step is not done, has no way back, or it was asked for already.
    """
    row, definition = _row(connection, run, step), _definition(connection, run, step)
    _may(principal, definition)
    if row["state"] != "done" or not definition.undo:
        raise RunError(f"step {step} is {row['state']} and has no way back")
    undo = f"{step}_undo"
    wanted = sa.select(runs).where(runs.c.id == run).with_for_update()
    found = dict(connection.execute(wanted).mappings().one())
    document = found["definition"]
    if any(one["id"] == undo for phase in document["phases"] for one in phase["steps"]):
        raise RunError(f"step {step} is being taken back already")
    steps = document["phases"][-1]["steps"]
    steps.append(
        {
            "id": undo,
            "title": f"Take back: {definition.title}",
            "kind": "approval",
            "action": definition.undo,
            "with": definition.parameters,
            "role": definition.role,
            "owner": definition.owner,
        }
    )
    playbook = Playbook.model_validate(document)
    phase = playbook.phases[-1]
    values = {"definition": document, "state": "running", "ended_at": None}
    connection.execute(runs.update().where(runs.c.id == run).values(values))
    fresh: Row = {
        **row,
        "step": undo,
        "position": sum(1 for _ in playbook.steps) - 1,
        "state": "waiting",
        "why": "",
        "due_at": now,
        "attempts": 0,
        "approvals": [],
        "intent": {},
        "outcome": {},
        "leased_until": None,
        "started_at": None,
        "ended_at": None,
    }
    upsert(connection, run_steps, [fresh])
    detail = {"of": step, "phase": phase.title}
    _told(connection, run, undo, "waiting", principal, "asked_to_take_back", detail, now)
    return fresh


def _waiting(
    connection: sa.Connection, run: str, step: str, state: str, principal: Principal
) -> tuple[Row, Step]:
    row, definition = _row(connection, run, step), _definition(connection, run, step)
    _may(principal, definition)
    if row["state"] != state:
        raise RunError(f"step {step} is {row['state']}; expected one that waits for {state}")
    return row, definition


def _may(principal: Principal, step: Step) -> None:
    if not principal.role.may(Role(step.role)):
        raise RunError(f"{principal.name} is {principal.role}; step {step.id} needs {step.role}")


def _row(connection: sa.Connection, run: str, step: str) -> Row:
    wanted = sa.select(run_steps).where(run_steps.c.run == run, run_steps.c.step == step)
    row = connection.execute(wanted.with_for_update()).mappings().one_or_none()
    if row is None:
        raise RunError(f"run {run} has no step {step}")
    return dict(row)


def _definition(connection: sa.Connection, run: str, step: str) -> Step:
    document = connection.execute(sa.select(runs.c.definition).where(runs.c.id == run)).scalar_one()
    return next(one for _, one in Playbook.model_validate(document).steps if one.id == step)


def _told(
    connection: sa.Connection,
    run: str,
    step: str,
    state: str,
    principal: Principal,
    what: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    fields = {"step": step, "state": state, "why": f"{what} by {principal.name}"}
    connection.execute(changes.insert().values(at=now, kind="run", subject=run, fields=fields))
    given = {"step": step, **detail}
    who = principal.name
    record(connection, who=who, what=f"run.{what}", subject=run, detail=given, now=now)
