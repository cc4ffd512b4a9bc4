"""Runs playbooks: claims due steps, keeps the clock, has each effect once, whatever dies.

A step's life: ``waiting`` -> ``manual`` | ``approval`` -> ``acting`` -> ``done`` | ``failed``, or
``skipped`` by a person. Every change is a row first. ``acting`` holds the intent: a process that
dies there leaves it, and the next one asks the world whether the effect is there already before
it acts on the same intent. A change is written only by who holds the claim, and only on the state
that was claimed: whoever was overtaken, by a process or a person, stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pipeline.database import reading
from serving.playbooks.action import (
    Action,
    ActionError,
    CheckError,
    Context,
    Outcome,
    ParameterError,
    StaleIntentError,
    retold,
)
from serving.playbooks.claim import Overtaken, change, claim
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.late import finish, remind
from serving.playbooks.policy import limit_reached, needed, permitted, touched, why_not_alone
from serving.playbooks.rows import Row
from serving.playbooks.start import fill
from serving.playbooks.waiting import show, tell_owner
from serving.store.audit import record
from serving.store.tables import run_steps, runs

__all__ = ["Runner"]

WAIT = timedelta(seconds=2)
ROUNDS = 100


class Runner:
    """Acts on due steps; several processes may do so at once.

    Parameters
    ----------
    engine : sqlalchemy.Engine
    actions : mapping of str to Action
    services : mapping
        What actions may use, by name.
    who : str
        Name of this process, for claims.
    """

    def __init__(
        self,
        engine: sa.Engine,
        actions: Mapping[str, Action],
        *,
        services: Mapping[str, Any] | None = None,
        who: str,
    ) -> None:
        self._engine = engine
        self._actions = dict(actions)
        self._services = dict(services or {})
        self._who = who

    def tick(self, *, now: datetime) -> int:
        """Do all that is due; how many steps changed."""
        changed = 0
        for _ in range(ROUNDS):
            claimed = claim(self._engine, self._who, now=now)
            if not claimed:
                break
            for run, row in claimed:
                if row["state"] != "skipped":
                    with suppress(Overtaken):
                        self._advance(run, row, now)
                changed += 1
        with self._engine.begin() as connection:
            remind(connection, now)
            finish(connection, now)
        return changed

    def _advance(self, run: Row, row: Row, now: datetime) -> None:
        """Take one claimed step as far as it goes now."""
        playbook = Playbook.model_validate(run["definition"])
        step = next(step for _, step in playbook.steps if step.id == row["step"])
        only_says = run["mode"] in ("dry_run", "shadow")
        if step.kind == "manual" and only_says:
            outcome = Outcome(f"would ask {step.owner or 'a person'}: {step.guide}")
            self._end(run, row, step, "done", outcome, now)
            return
        if step.kind == "manual":
            self._wait(run, row, step, "manual", step.guide, step.people, now)
            return
        action = self._actions.get(step.action)
        if action is None:
            self._end(run, row, step, "failed", Outcome(f"no action {step.action!r}"), now)
            return
        name = step.id if not (again := row["outcome"].get("again")) else f"{step.id}~{again}"
        topic = "" if row["approvals"] else f"{run['playbook']}:{name}"
        services = self._services
        context = Context(run["id"], name, run["incident"], self._engine, now, services, topic)
        parameters = fill(dict(step.parameters), self._known(run))
        if only_says:
            self._say(run, row, step, action, context, parameters)
            return
        try:
            if row["state"] != "acting":
                if not self._begins(run, row, step, action, playbook, context, parameters):
                    return
            elif action.verify(context, row["intent"]):
                self._end(run, row, step, "done", retold(action, context, row["intent"]), now)
                return
            outcome = action.perform(context, row["intent"])
            if action.effect != "observe" and not action.verify(context, row["intent"]):
                raise ActionError("done, but its effect is not there")
            self._end(run, row, step, "done", outcome, now)
        except (CheckError, ParameterError) as error:
            self._end(run, row, step, "failed", Outcome(str(error)), now)
        except StaleIntentError as error:
            state = "approved" if row["approvals"] else "waiting"
            self._again(run, row, step, str(error), now, state=state, intent={})
        except ActionError as error:
            self._again(run, row, step, str(error), now)
        except Overtaken:
            raise
        except Exception as error:  # an action with a fault must not stop the other steps
            self._again(run, row, step, f"{type(error).__name__} in the action", now)

    def _say(
        self, run: Row, row: Row, step: Step, action: Action, context: Context, parameters: Row
    ) -> None:
        """Say what a step would do; what an earlier step would have found is not known."""
        try:
            would = action.plan(context, parameters)
        except (ActionError, ParameterError) as error:
            would = f"{action.name}, which {action.about} ({error})"
        self._end(run, row, step, "done", Outcome(f"would: {would}"), context.now)

    def _begins(
        self,
        run: Row,
        row: Row,
        step: Step,
        action: Action,
        playbook: Playbook,
        context: Context,
        parameters: Row,
    ) -> bool:
        """Write the intent and go on; where people must approve first, ask them instead."""
        effect, now = action.effect, context.now
        alone = row["state"] != "approved" or not permitted(step, effect, row["approvals"])
        why = ""
        if alone:
            seen = {"exact": run["exact"], "touches": touched(parameters)}
            why = why_not_alone(playbook, step, effect, **seen)
        if not why:
            intent = action.prepare(context, parameters)
            begun = {"state": "acting", "intent": intent, "effect": effect, "started_at": now}
            # Limits are looked at where the intent is written: no other run acts in between.
            with self._engine.begin() as connection:
                if alone:
                    why = limit_reached(connection, playbook, run, effect, now=now)
                if not why:
                    change(connection, self._who, row, **begun)
        if why:
            people = max(needed(step, effect), 1)
            self._wait(run, row, step, "approval", why, people, now, effect=effect)
        return not why

    def _wait(
        self,
        run: Row,
        row: Row,
        step: Step,
        state: str,
        why: str,
        people: int,
        now: datetime,
        **values: Any,
    ) -> None:
        """Leave a step to people, and tell its owner."""
        with self._engine.begin() as connection:
            asked = {"state": state, "why": why, "people": people, "leased_until": None}
            change(connection, self._who, row, **asked, **values)
            said = f"{state}:{row['outcome'].get('again', 0)}"
            told = f"waits for {'one person' if people == 1 else f'{people} people'}"
            # By hand: the guide is the reason, and stands in the message as its first step.
            told += "" if state == "manual" else f": {why}"
            tell_owner(connection, run, step, told, said, now=now)
            show(connection, run, step.id, state, why, now)

    def _again(
        self, run: Row, row: Row, step: Step, why: str, now: datetime, **values: Any
    ) -> None:
        """Try again shortly, until the step's time is up, counted from when it could begin."""
        attempts = row["attempts"] + 1
        if now > max(row["due_at"], row["started_at"] or now) + step.timeout:
            self._end(run, row, step, "failed", Outcome(why), now)
            return
        with self._engine.begin() as connection:
            later = now + min(WAIT * 2 ** min(attempts, 5), step.timeout)
            change(
                connection, self._who, row, attempts=attempts, why=why, leased_until=later, **values
            )

    def _end(
        self, run: Row, row: Row, step: Step, state: str, outcome: Outcome, now: datetime
    ) -> None:
        """Write how a step ended; a failure is told in the same transaction."""
        again = {"again": row["outcome"]["again"]} if "again" in row["outcome"] else {}
        told = {"done": outcome.done, "facts": outcome.facts, **again}
        values = {"state": state, "why": outcome.done, "outcome": told, "ended_at": now}
        with self._engine.begin() as connection:
            change(connection, self._who, row, **values, leased_until=None)
            show(connection, run, step.id, state, outcome.done, now)
            detail = {"step": step.id, "state": state, "done": outcome.done}
            what, subject = f"step.{state}", run["id"]
            record(connection, who=self._who, what=what, subject=subject, detail=detail, now=now)
            if state != "failed":
                return
            if step.on_failure != "continue":
                said = f"failed:{again.get('again', 0)}"
                tell_owner(connection, run, step, f"failed: {outcome.done}", said, now=now)
            if step.on_failure == "stop":
                stopped = runs.update().where(runs.c.id == run["id"], runs.c.state == "running")
                connection.execute(stopped.values(state="paused"))
                show(connection, run, step.id, "paused", f"{step.id} failed", now)

    def _known(self, run: Row) -> Row:
        """The run's parameters, and what its steps found."""
        with reading(self._engine) as connection:
            done = connection.execute(
                sa.select(run_steps.c.step, run_steps.c.outcome).where(
                    run_steps.c.run == run["id"], run_steps.c.state == "done"
                )
            ).all()
        return {**{row.step: row.outcome.get("facts", {}) for row in done}, **run["parameters"]}
