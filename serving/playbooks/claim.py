"""Who does a step: steps whose turn has come are taken for a while, and changed by who has them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.playbooks.definition import Playbook
from serving.playbooks.rows import Row
from serving.playbooks.waiting import outline, show, turn
from serving.store.tables import run_steps, runs

__all__ = ["Overtaken", "change", "claim"]

LEASE = timedelta(seconds=60)


class Overtaken(Exception):  # noqa: N818 - not an error: somebody else goes on
    """The claim ran out, or a person decided meanwhile."""


def claim(engine: sa.Engine, who: str, *, now: datetime) -> list[tuple[Row, Row]]:
    """Steps whose turn has come, taken for a minute; each with its run."""
    free = sa.or_(run_steps.c.leased_until.is_(None), run_steps.c.leased_until <= now)
    due = (
        sa.select(run_steps)
        .join(runs, runs.c.id == run_steps.c.run)
        .where(
            runs.c.state == "running",
            run_steps.c.state.in_(["waiting", "approved", "acting"]),
            run_steps.c.due_at <= now,
            free,
        )
        .order_by(run_steps.c.due_at, run_steps.c.run, run_steps.c.position)
        .with_for_update(of=run_steps, skip_locked=True)
    )
    claimed: list[tuple[Row, Row]] = []
    known: dict[str, tuple[Row, Playbook, dict[str, Row]]] = {}
    with engine.begin() as connection:
        for found in connection.execute(due).mappings().all():
            row = dict(found)
            if (name := row["run"]) not in known:
                known[name] = outline(connection, name)
            run, playbook, rows = known[name]
            values: Row = {"leased_until": now + LEASE, "leased_by": who}
            if row["state"] == "waiting":
                its = turn(playbook, run["started_at"], rows, row["step"])
                if its is None:
                    continue
                # Times of the clock stay; what had to wait is due from then on.
                values["due_at"] = max(row["due_at"], its.since)
                if its.never:
                    values |= {"state": "skipped", "why": its.never, "ended_at": now}
                    show(connection, run, row["step"], "skipped", its.never, now)
            values["started_at"] = row["started_at"] or now
            key = (run_steps.c.run == row["run"], run_steps.c.step == row["step"])
            connection.execute(run_steps.update().where(*key).values(**values))
            claimed.append((run, row | values))
    return claimed


def change(connection: sa.Connection, who: str, row: Row, **values: Any) -> None:
    """Change a step that is still claimed by this process and in the state it was in.

    Raises
    ------
    Overtaken
        It is not.
    """
    changed = connection.execute(
        run_steps.update()
        .where(
            run_steps.c.run == row["run"],
            run_steps.c.step == row["step"],
            run_steps.c.state == row["state"],
            run_steps.c.leased_by == who,
        )
        .values(**values)
    )
    if not changed.rowcount:
        raise Overtaken
    row |= values
