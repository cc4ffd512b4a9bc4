"""Runs playbooks: claims due steps, keeps the clock, has each effect once, whatever dies.

A step's life: ``waiting`` -> ``manual`` | ``approval`` -> ``acting`` -> ``done`` | ``failed``, or
``skipped`` by a person. Every change is a row first. ``acting`` holds the intent: a process that
dies there leaves it, and the next one asks the world whether the effect is there already before
it acts on the same intent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.playbooks.action import (
    Action,
    ActionError,
    Context,
    Outcome,
    ParameterError,
    StaleIntentError,
)
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.policy import needed, why_not_alone
from serving.playbooks.start import fill
from serving.playbooks.waiting import END, ready, tell_owner
from serving.store.audit import record
from serving.store.tables import changes, run_steps, runs

__all__ = ["Runner"]

LEASE = timedelta(seconds=60)
WAIT = timedelta(seconds=2)
ROUNDS = 100

Row = dict[str, Any]


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
        # Each round may make further steps ready; a playbook is finite, and so are the rounds.
        for _ in range(ROUNDS):
            claimed = self._claim(now)
            if not claimed:
                break
            for run, step in claimed:
                self._advance(run, step, now)
                changed += 1
        with self._engine.begin() as connection:
            self._tell_overdue(connection, now)
            self._finish(connection, now)
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
        with self._engine.begin() as connection:
            for found in connection.execute(due).mappings().all():
                step = dict(found)
                run = self._run(connection, step["run"])
                if step["state"] == "waiting" and not ready(connection, run, step["step"]):
                    continue
                self._write(connection, step, leased_until=now + LEASE, leased_by=self._who)
                claimed.append((run, step))
        return claimed

    def _advance(self, run: Row, row: Row, now: datetime) -> None:
        """Take one claimed step as far as it goes now."""
        playbook = Playbook.model_validate(run["definition"])
        step = next(step for _, step in playbook.steps if step.id == row["step"])
        if step.kind == "manual":
            self._wait(run, row, step, "manual", step.guide, 1, now)
            return
        action = self._actions.get(step.action)
        if action is None:
            self._fail(run, row, step, f"no action {step.action!r} is configured", now)
            return
        context = Context(run["id"], step.id, run["incident"], self._engine, now, self._services)
        try:
            parameters = fill(dict(step.parameters), self._known(run))
            if run["mode"] in ("dry_run", "shadow"):
                outcome = Outcome(f"would: {action.plan(context, parameters)}")
                self._end(run, row, "done", outcome, now, effect=action.effect)
                return
            people = needed(step, action.effect)
            if row["state"] == "waiting" and self._asks(run, row, step, action, playbook, now):
                return
            if row["state"] != "acting":
                intent = action.prepare(context, parameters)
                values = {"state": "acting", "intent": intent, "started_at": now}
                with self._engine.begin() as connection:
                    held = self._write(
                        connection,
                        row,
                        # Who was too slow must not put a second intent over the first.
                        run_steps.c.leased_by == self._who,
                        run_steps.c.state == row["state"],
                        **values,
                        effect=action.effect,
                        people=people,
                    )
                if not held:
                    return
                row |= values
            elif action.verify(context, row["intent"]):
                found = Outcome("it was done already", {"found": True})
                self._end(run, row, "done", found, now, effect=action.effect)
                return
            outcome = action.perform(context, row["intent"])
            if action.effect != "observe" and not action.verify(context, row["intent"]):
                raise ActionError("done, but its effect is not there")
            self._end(run, row, "done", outcome, now, effect=action.effect)
        except ParameterError as error:
            self._fail(run, row, step, str(error), now)
        except StaleIntentError as error:
            self._again(run, row, step, str(error), now, state="approved", intent={})
        except ActionError as error:
            self._again(run, row, step, str(error), now)
        except Exception as error:  # an action with a fault must not stop the other steps
            self._again(run, row, step, f"{type(error).__name__} in the action", now)

    def _asks(
        self, run: Row, row: Row, step: Step, action: Action, playbook: Playbook, now: datetime
    ) -> bool:
        """Whether people must approve first; then they are asked."""
        with self._engine.begin() as connection:
            why = why_not_alone(
                connection,
                step,
                action.effect,
                playbook=playbook.playbook,
                run=run["id"],
                exact=run["exact"],
                limits=playbook.limits,
                now=now,
            )
        if why:
            self._wait(run, row, step, "approval", why, max(needed(step, action.effect), 1), now)
        return bool(why)

    def _wait(
        self, run: Row, row: Row, step: Step, state: str, why: str, people: int, now: datetime
    ) -> None:
        """Leave a step to people, and tell its owner."""
        with self._engine.begin() as connection:
            self._write(connection, row, state=state, why=why, people=people, leased_until=None)
            tell_owner(connection, run, step, f"waits for {people}: {why}", state, now=now)
            self._show(connection, run, step.id, state, why, now)

    def _again(self, run: Row, row: Row, step: Step, why: str, now: datetime, **back: Any) -> None:
        """Try again shortly, until the step's time is up."""
        attempts = row["attempts"] + 1
        if now > max(row["due_at"], row["started_at"] or row["due_at"]) + step.timeout:
            self._fail(run, row, step, why, now)
            return
        with self._engine.begin() as connection:
            later = now + min(WAIT * 2 ** min(attempts, 5), step.timeout)
            self._write(connection, row, attempts=attempts, why=why, leased_until=later, **back)

    def _fail(self, run: Row, row: Row, step: Step, why: str, now: datetime) -> None:
        self._end(run, row, "failed", Outcome(why), now)
        with self._engine.begin() as connection:
            if step.on_failure != "continue":
                tell_owner(connection, run, step, f"failed: {why}", "failed", now=now)
            if step.on_failure == "stop":
                connection.execute(
                    runs.update().where(runs.c.id == run["id"]).values(state="paused")
                )
                self._show(connection, run, step.id, "paused", f"{step.id} failed", now)

    def _end(
        self, run: Row, row: Row, state: str, outcome: Outcome, now: datetime, effect: str = ""
    ) -> None:
        with self._engine.begin() as connection:
            told = {"done": outcome.done, "facts": outcome.facts}
            ended = self._write(
                connection,
                row,
                run_steps.c.state.not_in(END),
                state=state,
                why=outcome.done,
                outcome=told,
                effect=effect,
                ended_at=now,
                leased_until=None,
            )
            if not ended:  # by another process, or skipped by a person meanwhile
                return
            self._show(connection, run, row["step"], state, outcome.done, now)
            detail = {"step": row["step"], "state": state, "done": outcome.done}
            record(
                connection,
                who=self._who,
                what=f"step.{state}",
                subject=run["id"],
                detail=detail,
                now=now,
            )

    def _known(self, run: Row) -> Row:
        """The run's parameters, and what its steps found."""
        with self._engine.connect() as connection:
            done = connection.execute(
                sa.select(run_steps.c.step, run_steps.c.outcome).where(
                    run_steps.c.run == run["id"], run_steps.c.state == "done"
                )
            ).all()
        return {**{row.step: row.outcome.get("facts", {}) for row in done}, **run["parameters"]}

    @staticmethod
    def _run(connection: sa.Connection, run: str) -> Row:
        wanted = sa.select(runs).where(runs.c.id == run)
        return dict(connection.execute(wanted).mappings().one())

    @staticmethod
    def _write(
        connection: sa.Connection, row: Row, *only: sa.ColumnElement[bool], **values: Any
    ) -> bool:
        """Change a step's row, if it is still as ``only`` says; whether it was."""
        key = (run_steps.c.run == row["run"], run_steps.c.step == row["step"])
        return (
            connection.execute(run_steps.update().where(*key, *only).values(**values)).rowcount > 0
        )

    @staticmethod
    def _show(
        connection: sa.Connection, run: Row, step: str, state: str, why: str, now: datetime
    ) -> None:
        fields = {"step": step, "state": state, "why": why, "incident": run["incident"]}
        connection.execute(
            changes.insert().values(at=now, kind="run", subject=run["id"], fields=fields)
        )

    def _tell_overdue(self, connection: sa.Connection, now: datetime) -> None:
        """Escalate what should have been done by now."""
        late = (
            sa.select(run_steps)
            .join(runs, runs.c.id == run_steps.c.run)
            .where(runs.c.state == "running", run_steps.c.state.in_(["approval", "manual"]))
        )
        for found in connection.execute(late).mappings().all():
            run = self._run(connection, found["run"])
            playbook = Playbook.model_validate(run["definition"])
            step = next(step for _, step in playbook.steps if step.id == found["step"])
            if now > found["due_at"] + step.timeout:
                said = f"is overdue since {found['due_at'] + step.timeout:%H:%M UTC}"
                tell_owner(connection, run, step, said, "overdue", now=now)

    def _finish(self, connection: sa.Connection, now: datetime) -> None:
        """End runs of which every step is over."""
        open_steps = sa.select(run_steps.c.run).where(run_steps.c.state.not_in(END))
        over = sa.select(runs).where(runs.c.state == "running", runs.c.id.not_in(open_steps))
        for found in connection.execute(over).mappings().all():
            connection.execute(
                runs.update().where(runs.c.id == found["id"]).values(state="done", ended_at=now)
            )
            self._show(connection, dict(found), "", "done", "every step is over", now)
