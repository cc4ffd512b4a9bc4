"""What a step waits for, and who is told that it waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.notify.notice import Notice, enqueue
from serving.playbooks.definition import Playbook, Step
from serving.store.tables import changes, outbox, run_steps, runs

__all__ = ["END", "Turn", "outline", "show", "tell_owner", "turn"]

END = ("done", "failed", "skipped")
"""States in which nothing more happens to a step, unless a person has it tried again."""

OWNERS = ("chat", "pagerduty")
# Where owners of steps are told.


@dataclass(frozen=True)
class Turn:
    """A step's turn has come, or never will.

    Parameters
    ----------
    since : datetime
        When the last thing it waited for was over; the run's start if it waits for nothing.
    never : str
        Why it is not needed, in words; empty when it is.
    """

    since: datetime
    never: str = ""


def turn(
    playbook: Playbook, began: datetime, rows: Mapping[str, Mapping[str, Any]], step: str
) -> Turn | None:
    """Whether all that a step waits for is over; None while something is not.

    It waits for what it names, and in recovery for all phases before. A step that failed or was
    skipped holds nobody up: that is what people decided, or are told. A gate that failed does; and
    the step that a gate names otherwise waits for that gate to fail.

    Parameters
    ----------
    began : datetime
        When the run did.
    rows : mapping of str to mapping
        ``state`` and ``ended_at`` of each step of the run.
    """
    phase, wanted = next((phase, one) for phase, one in playbook.steps if one.id == step)
    blockers = set(wanted.after)
    if phase.recovery:
        for earlier in playbook.phases:
            if earlier is phase:
                break
            blockers |= {one.id for one in earlier.steps}
    gates = [one.id for _, one in playbook.steps if one.otherwise == step]
    shut = {one.id for _, one in playbook.steps if one.otherwise}
    for name in blockers:
        state = rows[name]["state"]
        if state not in END or (state == "failed" and name in shut):
            return None
    since = max([began, *(rows[name]["ended_at"] for name in blockers)])
    if not gates:
        return Turn(since)
    if failed := [rows[name]["ended_at"] for name in gates if rows[name]["state"] == "failed"]:
        return Turn(max(since, *failed))
    if all(rows[name]["state"] in END for name in gates):
        return Turn(since, f"not needed: {', '.join(gates)} did not fail")
    return None


def outline(
    connection: sa.Connection, run: str
) -> tuple[dict[str, Any], Playbook, dict[str, dict[str, Any]]]:
    """A run, its playbook as it was when it began, and state and end of each of its steps."""
    its = dict(connection.execute(sa.select(runs).where(runs.c.id == run)).mappings().one())
    wanted = sa.select(run_steps.c.step, run_steps.c.state, run_steps.c.ended_at)
    found = connection.execute(wanted.where(run_steps.c.run == run)).mappings()
    rows = {row["step"]: dict(row) for row in found}
    return its, Playbook.model_validate(its["definition"]), rows


def tell_owner(
    connection: sa.Connection,
    run: Mapping[str, Any],
    step: Step,
    said: str,
    why: str,
    *,
    now: datetime,
) -> None:
    """Tell who is responsible for a step, once for each reason and for all runs of an incident."""
    key = f"{run['id']}:{step.id}:{why}"
    told = sa.select(outbox.c.id).where(outbox.c.dedup_key == f"{key}:{OWNERS[0]}")
    if connection.execute(told).first() is not None:
        return
    playbook = run["definition"]
    others = _others_that_wait(connection, run, step)
    also = f" (and in {others} more runs of this incident)" if others else ""
    notices = [
        Notice(
            dedup_key=f"{key}:{channel}",
            channel=channel,
            action="notice",
            incident=run["incident"],
            severity=playbook["severity"],
            title=f"{playbook['title']}: {step.title} {said}{also}",
            why=run["parameters"].get("why", ""),
            first_step=step.guide or f"Open the run and decide on {step.title!r}.",
            since=run["started_at"],
            due_at=now,
            topic=f"{run['playbook']}:{step.id}:{why}",
            detail={"audience": step.owner, "run": run["id"], "step": step.id},
        )
        for channel in OWNERS
    ]
    enqueue(connection, notices, now=now)


def _others_that_wait(connection: sa.Connection, run: Mapping[str, Any], step: Step) -> int:
    """How many other runs of the incident wait for people at the same step."""
    others = (
        sa.select(sa.func.count())
        .select_from(run_steps.join(runs, runs.c.id == run_steps.c.run))
        .where(
            runs.c.incident == run["incident"],
            runs.c.playbook == run["playbook"],
            runs.c.id != run["id"],
            runs.c.state == "running",
            run_steps.c.step == step.id,
            run_steps.c.state.in_(["approval", "manual"]),
        )
    )
    return connection.execute(others).scalar_one()


def show(
    connection: sa.Connection,
    run: Mapping[str, Any],
    step: str,
    state: str,
    why: str,
    now: datetime,
) -> None:
    """Put a change of a step, or of the run where the step is empty, on the live pages."""
    fields = {"step": step, "state": state, "why": why, "incident": run["incident"]}
    connection.execute(
        changes.insert().values(at=now, kind="run", subject=run["id"], fields=fields)
    )
