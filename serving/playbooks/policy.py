"""Who may do what: effects, evidence and people as data. What is not allowed is forbidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipeline.database import upsert
from serving.playbooks.action import Effect
from serving.playbooks.definition import Playbook, Step
from serving.store.tables import memory, run_steps, runs

__all__ = ["PEOPLE", "limit_reached", "needed", "permitted", "touched", "why_not_alone"]

PEOPLE: dict[Effect, int] = {
    "observe": 0,
    "tell": 0,
    "contain": 0,
    "restore": 1,
    "delete": 2,
    "move_funds": 2,
}
"""How many people each effect needs at least, whatever a playbook says: a detector may stop
something; only people let go again, and only two move money or delete."""

WATCHED: tuple[Effect, ...] = ("contain",)
PART = "limits"


def needed(step: Step, effect: Effect) -> int:
    """How many people must approve a step: the stricter of the playbook and the policy."""
    asked = 0 if step.kind == "automatic" else step.people
    return max(asked, PEOPLE[effect])


def permitted(step: Step, effect: Effect, approvals: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a step may act on these approvals: the last door, whatever the store says.

    Each person counts once. What an admin forced needs no more people, but nobody forces what lets
    go, moves money or deletes.
    """
    if any(one.get("forced") for one in approvals) and not PEOPLE[effect]:
        return True
    return len({one["who"] for one in approvals}) >= max(needed(step, effect), 1)


def touched(parameters: Mapping[str, Any]) -> int:
    """How many accounts, keys or addresses a step would touch: its longest list, commas counted.

    >>> touched({"account": "ann, bob", "per_minute": 3}), touched({"key": ["a", "b,c"]})
    (2, 3)
    """
    lists = [value if isinstance(value, list) else [value] for value in parameters.values()]
    return max((sum(str(one).count(",") + 1 for one in given) for given in lists), default=1)


def why_not_alone(
    playbook: Playbook, step: Step, effect: Effect, *, exact: bool, touches: int = 1
) -> str:
    """Why an automatic step needs a person after all, in words; empty when it may go on.

    What contains something needs deterministic evidence beside any learned score, and touches no
    more than so many at once.
    """
    if people := needed(step, effect):
        who = "one person" if people == 1 else f"{people} people"
        return f"what may {effect.replace('_', ' ')} needs {who} to approve"
    if effect not in WATCHED:
        return ""
    if not exact:
        return "a learned score alone starts nothing: no rule speaks for it"
    if touches > (most := playbook.limits.blast_radius):
        return f"it would touch {touches} at once; {playbook.playbook} may touch {most}"
    return ""


def limit_reached(
    connection: sa.Connection,
    playbook: Playbook,
    run: Mapping[str, Any],
    effect: Effect,
    *,
    now: datetime,
) -> str:
    """Why a run may contain nothing by itself now, in words; empty when it may.

    That is limited to so many runs a day for each playbook, with a pause between two about the
    same thing. Whoever asks for a playbook waits here until the transaction of whoever asked
    before has ended: an intent written in the same transaction is counted by the next.
    """
    if effect not in WATCHED:
        return ""
    name, limits = playbook.playbook, playbook.limits
    upsert(connection, memory, [{"part": PART, "key": name, "state": {}}])
    done = (
        sa.select(run_steps.c.run, sa.func.max(run_steps.c.started_at).label("at"))
        .join(runs, runs.c.id == run_steps.c.run)
        .where(
            runs.c.playbook == name,
            runs.c.mode == "live",
            run_steps.c.run != run["id"],
            run_steps.c.effect.in_(WATCHED),
            run_steps.c.people == 0,
            run_steps.c.started_at > now - timedelta(days=1),
        )
        .group_by(run_steps.c.run)
        .subquery()
    )
    acted = sa.select(done.c.at, runs.c.parameters).join(runs, runs.c.id == done.c.run)
    others = connection.execute(acted).all()
    if len(others) >= limits.automatic_a_day:
        return f"{name} has acted by itself {len(others)} times within a day"
    about = {parameter: run["parameters"].get(parameter) for parameter in playbook.parameters}
    for row in others:
        same = all(row.parameters.get(key) == value for key, value in about.items())
        if same and now - row.at < limits.cooldown:
            return f"{name} acted on the same by itself less than {limits.cooldown} ago"
    return ""
