"""What a step waits for, and who is told that it waits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.notify.notice import Notice, enqueue
from serving.playbooks.definition import Playbook, Step
from serving.store.tables import run_steps

__all__ = ["END", "ready", "tell_owner"]

END = ("done", "failed", "skipped")
"""States in which nothing more happens to a step."""

OWNERS = ("chat", "pagerduty")
# Where owners of steps are told.


def ready(connection: sa.Connection, run: Mapping[str, Any], step: str) -> bool:
    """Whether all that a step waits for is over: what it names, and for recovery all phases before.

    A step that failed or was skipped holds nobody up: that is what people decided, or are told.
    """
    playbook = Playbook.model_validate(run["definition"])
    phase, wanted = next((phase, one) for phase, one in playbook.steps if one.id == step)
    blockers = set(wanted.after)
    if phase.recovery:
        for earlier in playbook.phases:
            if earlier is phase:
                break
            blockers |= {one.id for one in earlier.steps}
    if not blockers:
        return True
    left = sa.select(run_steps.c.step).where(
        run_steps.c.run == run["id"],
        run_steps.c.step.in_(blockers),
        run_steps.c.state.not_in(END),
    )
    return connection.execute(left.limit(1)).first() is None


def tell_owner(
    connection: sa.Connection,
    run: Mapping[str, Any],
    step: Step,
    said: str,
    why: str,
    *,
    now: datetime,
) -> None:
    """Tell who is responsible for a step, once for each reason."""
    playbook = run["definition"]
    notices = [
        Notice(
            dedup_key=f"{run['id']}:{step.id}:{why}:{channel}",
            channel=channel,
            action="notice",
            incident=run["incident"],
            severity=playbook["severity"],
            title=f"{playbook['title']}: {step.title} {said}",
            why=run["parameters"].get("why", ""),
            first_step=step.guide or f"Open the run and decide on {step.title!r}.",
            since=run["started_at"],
            due_at=now,
            detail={"audience": step.owner, "run": run["id"], "step": step.id},
        )
        for channel in OWNERS
    ]
    enqueue(connection, notices, now=now)
