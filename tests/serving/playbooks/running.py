"""A small playbook, a world its actions act on, and a runner to drive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.playbooks.action import (
    ActionError,
    CheckError,
    Context,
    Effect,
    Outcome,
    ParameterError,
)
from serving.playbooks.definition import Playbook
from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.store.keys import Principal, Role
from serving.store.tables import run_steps, runs

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANN, BOB = Principal("ann", Role.ADMIN), Principal("bob", Role.RESPONDER)
EVE = Principal("eve", Role.VIEWER)
INCIDENT = {"id": "incident1"}
ALERT = {
    "entity": "0xvault",
    "severity": "critical",
    "title": "Outflow: 0xvault",
    "why": "it loses money",
    "labels": {"contract": "0xvault"},
    "evidence": {"exact": True, "window": {"outflow": 30.0}},
}


@dataclass
class Switch:
    """Something that is on or off in the world; ``faults`` fail before it, ``calls`` counts."""

    name: str = "switch.off"
    about: str = "turns it off"
    effect: Effect = "contain"
    to: str = "off"
    world: dict[str, Any] = field(default_factory=dict)
    faults: int = 0
    dies: bool = False
    says_no: bool = False

    def plan(self, context: Context, parameters: Mapping[str, Any]) -> str:
        if not parameters.get("what"):
            raise ParameterError("what is missing")
        return f"turn {parameters['what']} {self.to}"

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.plan(context, parameters)
        return {"what": parameters["what"], "key": context.key}

    def perform(self, context: Context, intent: Mapping[str, Any]) -> Outcome:
        if self.says_no:
            raise CheckError(f"{intent['what']} is not so")
        if self.faults:
            self.faults -= 1
            raise ActionError("the line is dead")
        calls = self.world.setdefault("calls", [])
        if intent["key"] not in calls:
            calls.append(intent["key"])
            self.world[intent["what"]] = self.to
        if self.dies:
            raise KeyboardInterrupt
        return Outcome(f"{intent['what']} is {self.to}", {"state": self.to})

    def verify(self, context: Context, intent: Mapping[str, Any]) -> bool:
        return bool(self.world.get(intent["what"]) == self.to)


def playbook(**changes: Any) -> Playbook:
    """Pause at once, notice at five minutes, unpause in the end; with changes to the first step."""
    first = {
        "id": "pause",
        "title": "Pause it",
        "kind": "automatic",
        "action": "switch.off",
        "with": {"what": "{contract}"},
        "undo": "switch.on",
    }
    return Playbook.model_validate(
        {
            "playbook": "test_book",
            "title": "Test",
            "about": "a small one",
            "severity": "critical",
            "parameters": {"contract": "{entity}"},
            "phases": [
                {"title": "Now", "at": "T+0", "steps": [{**first, **changes}]},
                {
                    "title": "Then",
                    "at": "T+5m",
                    "steps": [
                        {
                            "id": "look",
                            "title": "Look",
                            "kind": "manual",
                            "guide": "Look at it.",
                            "evidence": ["seen"],
                        }
                    ],
                },
                {
                    "title": "Recovery",
                    "recovery": True,
                    "steps": [
                        {
                            "id": "resume",
                            "title": "Resume",
                            "kind": "approval",
                            "people": 2,
                            "action": "switch.on",
                            "with": {"what": "{contract}"},
                        }
                    ],
                },
            ],
        }
    )


class Drive:
    """A run, its runner and a clock."""

    def __init__(self, engine: sa.Engine, book: Playbook, **alert: Any) -> None:
        self.engine, self.now = engine, NOON
        self.world: dict[str, Any] = {}
        self.off = Switch(world=self.world)
        self.on = Switch("switch.on", "turns it on", "restore", "on", self.world)
        self.runner = self.another("one")
        with engine.begin() as connection:
            self.run = start(connection, book, INCIDENT, {**ALERT, **alert}, now=self.now)

    def another(self, who: str) -> Runner:
        """One more process that runs playbooks."""
        actions = {action.name: action for action in (self.off, self.on)}
        return Runner(self.engine, actions, who=who)

    def tick(self, later: timedelta = timedelta(0)) -> None:
        """Let time pass and do what is due."""
        self.now += later
        self.runner.tick(now=self.now)

    def states(self) -> dict[str, str]:
        """The state of each step."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(run_steps).order_by(run_steps.c.position))
            return {row.step: row.state for row in rows}

    def step(self, name: str) -> dict[str, Any]:
        """The row of a step."""
        with self.engine.connect() as connection:
            wanted = sa.select(run_steps).where(run_steps.c.step == name)
            return dict(connection.execute(wanted).mappings().one())

    def state(self) -> str:
        """The state of the run."""
        with self.engine.connect() as connection:
            return str(connection.execute(sa.select(runs.c.state)).scalar_one())
