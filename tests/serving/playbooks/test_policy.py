"""Policy: every effect in every kind of step, with and without evidence, people and force."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from threading import Barrier
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from pipeline.database import reading
from serving.playbooks.action import Context, Effect
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import Limits, Playbook, Step
from serving.playbooks.policy import PEOPLE, needed, permitted, why_not_alone
from serving.playbooks.runner import Runner
from serving.playbooks.start import Mode, start
from serving.store.tables import run_steps
from tests.serving.playbooks.running import ALERT, NOON, Switch, playbook

EFFECTS: tuple[Effect, ...] = get_args(Effect)
ASKED = ("restore", "move_funds", "delete")
KINDS = ("automatic", "approval")
PATIENCE_S = 60.0


def book(kind: str, people: int = 1) -> Playbook:
    step = {"id": "it", "title": "It", "kind": kind, "action": "it", "with": {"what": "x"},
            "people": people}  # fmt: skip
    phase = {"title": "Now", "at": "T+0", "steps": [step]}
    return Playbook.model_validate(
        {"playbook": "matrix", "title": "M", "about": "m", "severity": "high", "phases": [phase]}
    )


@pytest.mark.parametrize("effect", EFFECTS)
def test_no_path_has_an_effect_without_the_people_it_needs(
    engine: sa.Engine, effect: Effect
) -> None:
    modes: tuple[Mode, ...] = get_args(Mode)
    forced: dict[str, Any] = {"who": "ann", "at": "", "forced": "now"}
    crowds: list[list[dict[str, Any]]] = [
        [], [{"who": "ann", "at": ""}], [{"who": "ann", "at": ""}] * 2, [forced],
        [{"who": "ann", "at": ""}, {"who": "bob", "at": ""}],
    ]  # fmt: skip
    states = ("waiting", "approved")
    paths = product(KINDS, (True, False), modes, states, crowds)
    for number, (kind, exact, mode, state, approvals) in enumerate(paths):
        action = Switch("it", effect=effect)
        runner = Runner(engine, {"it": action}, who="one")
        alert = {**ALERT, "evidence": {"exact": exact}}
        with engine.begin() as connection:
            run = start(connection, book(kind), {"id": f"{number}"}, alert, mode=mode, now=NOON)
            mine = run_steps.update().where(run_steps.c.run == run)
            connection.execute(mine.values(state=state, approvals=approvals))
        runner.tick(now=NOON)
        acted = "x" in action.world
        people = len({one["who"] for one in approvals}) if state == "approved" else 0
        path = (effect, kind, exact, mode, state, approvals)
        if mode in ("dry_run", "shadow"):
            assert not acted, path
        if effect in ASKED and acted:
            assert people >= PEOPLE[effect], path
        if kind == "approval" and acted:
            assert people >= 1, path
        if effect == "contain" and acted and not exact:
            assert people >= 1, path


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_every_action_that_lets_go_needs_people(name: str) -> None:
    action = ACTIONS[name]
    step = Step.model_validate({"id": "a", "title": "A", "kind": "automatic", "action": name})
    words = ("unpause", "open", "unfreeze", "resume", "restore", "ramp", "redrive", "un")
    if name.partition(".")[2].startswith(words):
        assert action.effect in ASKED or name in ("ticket.open",)
    assert (needed(step, action.effect) > 0) == (action.effect in ASKED)


def test_one_person_twice_is_one_person() -> None:
    step = Step.model_validate({"id": "a", "title": "A", "kind": "approval", "action": "x"})
    assert not permitted(step, "move_funds", [{"who": "ann"}, {"who": "ann"}])
    assert permitted(step, "move_funds", [{"who": "ann"}, {"who": "bob"}])
    assert permitted(step, "contain", [{"who": "ann", "forced": "now"}])
    assert not permitted(step, "restore", [{"forced": "now", "who": "ann"}][:0])
    assert not permitted(step, "move_funds", [{"who": "ann", "forced": "now"}])


def test_what_touches_many_asks_first() -> None:
    step = Step.model_validate({"id": "a", "title": "A", "kind": "automatic", "action": "x"})
    limited = book("automatic").model_copy(update={"limits": Limits(blast_radius=5)})
    few, many = (why_not_alone(limited, step, "contain", exact=True, touches=n) for n in (5, 6))
    assert not few
    assert "touch 6 at once" in many


@dataclass
class Meeting(Switch):
    """Two that prepare at once: each has seen that it may, and none has acted."""

    both: Barrier = field(default_factory=lambda: Barrier(2))

    def prepare(self, context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.both.wait(PATIENCE_S)
        return super().prepare(context, parameters)


@pytest.mark.parametrize(
    ("limits", "entity"),
    [
        (Limits(automatic_a_day=1), "0xother"),
        (Limits(cooldown=timedelta(hours=1)), "0xvault"),
    ],
    ids=["so many a day", "a pause between"],
)
def test_two_processes_at_once_exceed_no_limit(
    engine: sa.Engine, limits: Limits, entity: str
) -> None:
    limited = playbook().model_copy(update={"limits": limits})
    action = Meeting()

    def act(who: str) -> None:
        Runner(engine, {action.name: action}, who=who).tick(now=NOON)

    def begin(incident: str, entity: str) -> None:
        with engine.begin() as connection:
            alert = {**ALERT, "entity": entity}
            start(connection, limited, {"id": incident}, alert, now=NOON)

    begin("first", "0xvault")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(act, "one")
        claimed = sa.select(run_steps.c.step).where(run_steps.c.leased_by == "one")
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            with reading(engine) as connection:
                if connection.execute(claimed).first():
                    break
        begin("second", entity)
        act("two")
        first.result()
    with reading(engine) as connection:
        pauses = sa.select(run_steps.c.state).where(run_steps.c.step == "pause")
        assert sorted(connection.execute(pauses).scalars()) == ["approval", "done"]
    assert len(action.world["calls"]) == 1
