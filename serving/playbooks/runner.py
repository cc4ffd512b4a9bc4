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
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.late import finish, remind
from serving.playbooks.policy import needed, permitted, touched, why_not_alone
from serving.playbooks.rows import Row
from serving.playbooks.start import fill
from serving.playbooks.waiting import outline, show, tell_owner, turn
from serving.store.audit import record
from serving.store.tables import run_steps, runs

__all__ = ["Runner"]

LEASE = timedelta(seconds=60)
WAIT = timedelta(seconds=2)
ROUNDS = 100


class Overtaken(Exception):  # noqa: N818 - not an error: somebody else goes on
    """The claim ran out, or a person decided meanwhile."""


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
            claimed = self._claim(now)
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

    def _claim(self, now: datetime) -> list[tuple[Row, Row]]:
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
        with self._engine.begin() as connection:
            for found in connection.execute(due).mappings().all():
                row = dict(found)
                if (name := row["run"]) not in known:
                    known[name] = outline(connection, name)
                run, playbook, rows = known[name]
                values: Row = {"leased_until": now + LEASE, "leased_by": self._who}
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
        context = Context(run["id"], name, run["incident"], self._engine, now, self._services)
        parameters = fill(dict(step.parameters), self._known(run))
        if only_says:
            self._say(run, row, step, action, context, parameters)
            return
        try:
            if row["state"] != "acting":
                if self._asks(run, row, step, action, playbook, parameters, now):
                    return
                intent = action.prepare(context, parameters)
                values = {"state": "acting", "intent": intent, "effect": action.effect}
                with self._engine.begin() as connection:
                    self._write(connection, row, **values, started_at=now)
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

    def _asks(
        self,
        run: Row,
        row: Row,
        step: Step,
        action: Action,
        playbook: Playbook,
        parameters: Row,
        now: datetime,
    ) -> bool:
        """Whether people must approve first; then they are asked."""
        if row["state"] == "approved" and permitted(step, action.effect, row["approvals"]):
            return False
        with self._engine.begin() as connection:
            why = why_not_alone(
                connection,
                step,
                action.effect,
                playbook=playbook.playbook,
                run=run["id"],
                about={name: run["parameters"].get(name) for name in playbook.parameters},
                exact=run["exact"],
                limits=playbook.limits,
                touches=touched(parameters),
                now=now,
            )
        if why:
            people = max(needed(step, action.effect), 1)
            self._wait(run, row, step, "approval", why, people, now, effect=action.effect)
        return bool(why)

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
            self._write(connection, row, **asked, **values)
            said = f"{state}:{row['outcome'].get('again', 0)}"
            tell_owner(connection, run, step, f"waits for {people}: {why}", said, now=now)
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
            self._write(connection, row, attempts=attempts, why=why, leased_until=later, **values)

    def _end(
        self, run: Row, row: Row, step: Step, state: str, outcome: Outcome, now: datetime
    ) -> None:
        """Write how a step ended; a failure is told in the same transaction."""
        again = {"again": row["outcome"]["again"]} if "again" in row["outcome"] else {}
        told = {"done": outcome.done, "facts": outcome.facts, **again}
        values = {"state": state, "why": outcome.done, "outcome": told, "ended_at": now}
        with self._engine.begin() as connection:
            self._write(connection, row, **values, leased_until=None)
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

    def _write(self, connection: sa.Connection, row: Row, **values: Any) -> None:
        """Change a step that is still claimed by this process and in the state it was in."""
        changed = connection.execute(
            run_steps.update()
            .where(
                run_steps.c.run == row["run"],
                run_steps.c.step == row["step"],
                run_steps.c.state == row["state"],
                run_steps.c.leased_by == self._who,
            )
            .values(**values)
        )
        if not changed.rowcount:
            raise Overtaken
        row |= values
