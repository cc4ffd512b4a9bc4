"""Steps of runs as people see them: the row, what it is by the book, and who may touch it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.playbooks.definition import Playbook, Step
from serving.store.audit import record
from serving.store.keys import Principal, Role
from serving.store.tables import changes, run_steps, runs

__all__ = ["FRESH", "Row", "RunError", "by_the_book", "may", "note", "person", "step_row"]

Row = dict[str, Any]

FRESH: Row = {
    "state": "waiting",
    "effect": "",
    "people": 0,
    "why": "",
    "leased_until": None,
    "leased_by": "",
    "attempts": 0,
    "approvals": [],
    "intent": {},
    "outcome": {},
    "started_at": None,
    "ended_at": None,
}
"""A step of which nothing has been done yet."""


class RunError(ValueError):
    """What was asked cannot be done to a run or step as it is, or not by this person."""


def step_row(connection: sa.Connection, run: str, step: str) -> Row:
    """The row of a step, held until the transaction ends. Raises RunError if there is none."""
    wanted = sa.select(run_steps).where(run_steps.c.run == run, run_steps.c.step == step)
    row = connection.execute(wanted.with_for_update()).mappings().one_or_none()
    if row is None:
        raise RunError(f"run {run} has no step {step}")
    return dict(row)


def by_the_book(connection: sa.Connection, run: str, step: str) -> Step:
    """What a step is in the playbook as it was when the run began."""
    document = connection.execute(sa.select(runs.c.definition).where(runs.c.id == run)).scalar_one()
    return next(one for _, one in Playbook.model_validate(document).steps if one.id == step)


def may(principal: Principal, step: Step) -> None:
    """Raises RunError if the step needs another role."""
    if not principal.role.may(Role(step.role)):
        raise RunError(f"{principal.name} is {principal.role}; step {step.id} needs {step.role}")


def person(principal: Principal) -> None:
    """Raises RunError for a key: what two people must decide, two keys of one person could."""
    if principal.name.startswith("key:"):
        raise RunError(f"{principal.name} is a key; expected a person")


def note(
    connection: sa.Connection,
    run: str,
    step: str,
    state: str,
    principal: Principal,
    what: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """Put what somebody did on the live pages and into the audit chain."""
    fields = {"step": step, "state": state, "why": f"{what} by {principal.name}"}
    connection.execute(changes.insert().values(at=now, kind="run", subject=run, fields=fields))
    given = {"step": step, **detail}
    who = principal.name
    record(connection, who=who, what=f"run.{what}", subject=run, detail=given, now=now)
