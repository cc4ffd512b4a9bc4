"""What people do when a run does not go by the book: try a step again, or break the glass."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from pipeline.database import upsert
from serving.notify.notice import Notice, enqueue
from serving.playbooks.definition import Playbook
from serving.playbooks.policy import PEOPLE
from serving.playbooks.rows import FRESH, Row, RunError, by_the_book, may, note, person, step_row
from serving.playbooks.waiting import END, OWNERS
from serving.store.keys import Principal, Role
from serving.store.tables import run_steps, runs, users

__all__ = ["force", "retry"]


def retry(
    connection: sa.Connection, run: str, step: str, principal: Principal, *, now: datetime
) -> Row:
    """Have a step tried again that failed.

    What has begun goes on with the intent that it had, so that it still acts once. A gate opens
    anew: the steps that it judges are asked for again, and what it names otherwise is ready again.
    A run that was done for want of open steps runs again.

    Raises
    ------
    RunError
        The step has not failed, the run was aborted, or the person may not.
    """
    row, definition = step_row(connection, run, step), by_the_book(connection, run, step)
    may(principal, definition)
    if row["state"] != "failed":
        raise RunError(f"step {step} is {row['state']}; expected one that failed")
    mine = runs.c.id == run
    connection.execute(
        runs.update().where(mine, runs.c.state == "done").values(state="running", ended_at=None)
    )
    if connection.execute(sa.select(runs.c.state).where(mine)).scalar_one() == "aborted":
        raise RunError(f"run {run} was aborted; what it left is done by hand")
    begun = row["intent"] and row["effect"] != "observe"
    if begun:
        row |= {"state": "acting", "ended_at": None, "started_at": None, "due_at": now}
        upsert(connection, run_steps, [row | {"leased_until": None, "attempts": 0}])
    else:
        document = sa.select(runs.c.definition).where(mine)
        playbook = Playbook.model_validate(connection.execute(document).scalar_one())
        acts = {one.id for _, one in playbook.steps if one.action}
        judged = [name for name in definition.after if definition.otherwise and name in acts]
        fallback = [definition.otherwise] if definition.otherwise else []
        for name in (step, *judged, *fallback):
            before = step_row(connection, run, name)
            if before["state"] in END:
                again = {"again": before["outcome"].get("again", 0) + 1}
                fresh = {**before, **FRESH, "outcome": again, "due_at": now}
                upsert(connection, run_steps, [fresh])
        row = step_row(connection, run, step)
    note(connection, run, step, row["state"], principal, "retry", {}, now)
    return row


def force(
    connection: sa.Connection, run: str, step: str, principal: Principal, why: str, *, now: datetime
) -> Row:
    """Break the glass: an admin has a step contain something now, alone; everyone is told.

    Raises
    ------
    RunError
        It is no admin or no person, there is no reason, the step does not wait for approval, or
        its effect is one that nobody forces: letting go, moving money, deleting.
    """
    person(principal)
    if not principal.role.may(Role.ADMIN):
        raise RunError(f"{principal.name} is {principal.role}; expected an admin")
    if not why.strip():
        raise RunError(f"step {step} cannot be forced without a reason")
    row = step_row(connection, run, step)
    if row["state"] != "approval":
        raise RunError(f"step {step} is {row['state']}; expected one that waits for approval")
    if PEOPLE[row["effect"]]:
        raise RunError(f"step {step} would {row['effect']}, which nobody forces")
    given = {"who": principal.name, "at": now.isoformat(), "forced": why}
    row["approvals"] = [*row["approvals"], given]
    row |= {"state": "approved", "due_at": now, "started_at": None}
    upsert(connection, run_steps, [row])
    note(connection, run, step, "approved", principal, "forced", {"why": why}, now)
    _ring(connection, run, step, principal, why, now)
    return row


def _ring(
    connection: sa.Connection, run: str, step: str, principal: Principal, why: str, now: datetime
) -> None:
    """Tell the owners' channels and every admin, by name, at once."""
    found = dict(connection.execute(sa.select(runs).where(runs.c.id == run)).mappings().one())
    admins = sa.select(users.c.name).where(
        users.c.role == Role.ADMIN, users.c.disabled_at.is_(None)
    )
    title = f"{principal.name} forced {step!r} of {found['definition']['title']}"
    notices = [
        Notice(
            dedup_key=f"{run}:{step}:forced:{now.isoformat()}:{channel}:{audience}",
            channel=channel,
            action="notice",
            incident=found["incident"],
            severity="critical",
            title=title,
            why=why,
            first_step="If this was not agreed, pause the run and call the person.",
            since=found["started_at"],
            due_at=now,
            detail={"audience": audience, "run": run, "step": step, "forced": True},
        )
        for channel in OWNERS
        for audience in ("admins", *connection.execute(admins).scalars())
    ]
    enqueue(connection, notices, now=now)
