"""The clock of runs: who is reminded of what is late, and when a run is over."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from serving.playbooks.definition import Playbook
from serving.playbooks.waiting import END, show, tell_owner
from serving.store.tables import run_steps, runs

__all__ = ["finish", "remind"]


def remind(connection: sa.Connection, now: datetime) -> None:
    """Tell owners what people should have decided by now: when late, then ever more seldom.

    After once, twice, four times, eight times a step's own time for it, and so on.
    """
    late = (
        sa.select(run_steps, runs.c.definition)
        .join(runs, runs.c.id == run_steps.c.run)
        .where(runs.c.state == "running", run_steps.c.state.in_(["approval", "manual"]))
    )
    for found in connection.execute(late).mappings().all():
        steps = Playbook.model_validate(found["definition"]).steps
        step = next(step for _, step in steps if step.id == found["step"])
        times = (now - found["due_at"]) // step.timeout
        if times >= 1:
            wanted = sa.select(runs).where(runs.c.id == found["run"])
            run = dict(connection.execute(wanted).mappings().one())
            said = f"is overdue since {found['due_at'] + step.timeout:%H:%M UTC}"
            again = f"overdue{times.bit_length()}:{found['outcome'].get('again', 0)}"
            tell_owner(connection, run, step, said, again, now=now)


def finish(connection: sa.Connection, now: datetime) -> None:
    """End runs of which every step is over."""
    left = sa.select(run_steps.c.run).where(run_steps.c.state.not_in(END))
    over = sa.select(runs).where(runs.c.state == "running", runs.c.id.not_in(left))
    for found in [dict(row) for row in connection.execute(over).mappings()]:
        if _has_a_shut_gate(connection, found["id"], found["definition"]):
            continue
        ended = connection.execute(
            runs.update()
            .where(runs.c.id == found["id"], runs.c.state == "running")
            .values(state="done", ended_at=now)
        )
        if ended.rowcount:
            show(connection, found, "", "done", "every step is over", now)


def _has_a_shut_gate(connection: sa.Connection, run: str, definition: object) -> bool:
    """Whether a gate failed: a run whose restoration did not hold is not done."""
    gates = [step.id for _, step in Playbook.model_validate(definition).steps if step.otherwise]
    failed = sa.select(run_steps.c.step).where(
        run_steps.c.run == run, run_steps.c.state == "failed", run_steps.c.step.in_(gates)
    )
    return connection.execute(failed.limit(1)).first() is not None
