"""A drill: a playbook played against a made-up incident by a compressed clock, and graded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.database import open_engine, upsert
from pipeline.lake import Lake
from pipeline.scoring.scorer import SCORES
from serving.alerts.engine import AlertEngine
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.grade import graded
from serving.playbooks.people import approve, sign_off, skip, take_back
from serving.playbooks.rows import Row, RunError, by_the_book
from serving.playbooks.runner import Runner
from serving.playbooks.scenes import Scene, scene_for
from serving.playbooks.start import start
from serving.playbooks.waiting import END
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.store.keys import Principal, Role
from serving.store.tables import METADATA, alerts, memory, run_steps, runs

__all__ = ["PART", "Crew", "Drill", "asked", "drill", "remember", "scripted"]

PART = "drills"
"""Part of table ``memory`` that holds when each playbook was last drilled, and its grade."""
PATIENCE = timedelta(minutes=30)
"""A scene that no rule has noticed by then is not noticed."""
LONGEST = timedelta(hours=6)
REACTION = timedelta(minutes=1)
"""How long the scripted people take for each decision."""
ANN, BOB = Principal("drill:ann", Role.ADMIN), Principal("drill:bob", Role.ADMIN)

Crew = Callable[[sa.Connection, str, Mapping[str, Any], Step, datetime], None]
"""Decides on one step that waits for people, or leaves it; may raise RunError."""


@dataclass
class Drill:
    """One performance: a scene, the rules that watch it, a store and a runner."""

    playbook: Playbook
    scene: Scene
    folder: Path
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.engine = open_engine(f"sqlite:///{self.folder / 'drill.db'}")
        METADATA.create_all(self.engine)
        self.lake = Lake(self.folder / "lake")
        services = {"lake": self.lake, "evidence": self.folder / "evidence", **self.scene.services}
        self.runner = Runner(self.engine, ACTIONS, services=services, who="drill")
        packs = load_packs([PACKS])
        self.alerts = AlertEngine(
            RuleBook(packs), Correlator(packs), inhibitions=inhibitions(packs), start=self._start
        )
        self.run = ""
        self.contained_at: datetime | None = None
        self.lost = 0.0

    def play(
        self, crew: Crew, until: Callable[[dict[str, Row]], bool] = lambda rows: False
    ) -> None:
        """Until the run is over, or the steps are as asked, or for `LONGEST`."""
        began = self.scene.now
        while self.scene.now - began < (LONGEST if self.run else PATIENCE):
            self._live()
            if self.run:
                self.runner.tick(now=self.scene.now)
                self._decide(crew)
                rows = self.steps()
                if self._state() != "running" or until(rows) or self._held(rows):
                    break

    def _held(self, rows: dict[str, Row]) -> bool:
        """Whether nothing goes on any more: a gate is shut, and rightly so."""
        moving = ("approval", "manual", "approved", "acting")
        return all(
            row["state"] in END or (row["state"] not in moving and row["due_at"] < self.scene.now)
            for row in rows.values()
        ) and any(
            rows[one.id]["state"] == "failed" for _, one in self.playbook.steps if one.otherwise
        )

    def _live(self) -> None:
        windows = self.scene.live()
        now = self.scene.now
        for name, frame in windows.items():
            self.lake.append(name, frame)
            with self.engine.begin() as connection:
                nothing = pl.DataFrame(schema=SCORES)
                self.alerts.take(connection, VIEWS[name], frame, nothing, [], now=now)
        self.lost = max(self.lost, self.scene.lost())
        if self.contained_at is None and self.scene.onset and self.scene.contained():
            self.contained_at = now

    def _start(
        self,
        connection: sa.Connection,
        incident: Mapping[str, Any],
        alert: Mapping[str, Any],
        now: datetime,
    ) -> None:
        if not self.run and alert["playbook"] == self.playbook.playbook:
            self.run = start(connection, self.playbook, incident, alert, mode="drill", now=now)

    def _decide(self, crew: Crew) -> None:
        asked = sa.select(run_steps).where(run_steps.c.state.in_(["approval", "manual"]))
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        for row in rows:
            with self.engine.begin() as connection:
                step = by_the_book(connection, self.run, row["step"])
                crew(connection, self.run, row, step, self.scene.now)
            if step.kind == "manual" and self.steps()[step.id]["state"] == "done":
                self.scene.told(step.id)

    def _state(self) -> str:
        with self.engine.connect() as connection:
            return str(connection.execute(sa.select(runs.c.state)).scalar_one())

    def steps(self) -> dict[str, Row]:
        """Rows of the run's steps by name, in order."""
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(run_steps).order_by(run_steps.c.position))
            return {row["step"]: dict(row) for row in found.mappings()}

    def first_alert(self) -> datetime | None:
        """When the alert that started the run was opened."""
        wanted = sa.select(sa.func.min(alerts.c.fired_at)).where(
            alerts.c.playbook == self.playbook.playbook
        )
        with self.engine.connect() as connection:
            found: datetime | None = connection.execute(wanted).scalar_one()
            return found


def scripted(
    connection: sa.Connection, run: str, row: Mapping[str, Any], step: Step, now: datetime
) -> None:
    """Two people who take a minute for each decision and agree to everything."""
    asked = row["started_at"] or row["due_at"]
    for count, person in enumerate((ANN, BOB)):
        if count < len(row["approvals"]) or now < asked + REACTION * (count + 1):
            continue
        try:
            if row["state"] == "approval":
                approve(connection, run, step.id, person, now=now)
            else:
                written = dict.fromkeys(step.evidence, "drilled")
                sign_off(connection, run, step.id, person, written, now=now)
        except RunError:  # one was enough
            return


def asked(confirm: Callable[[str], bool], prompt: Callable[[str], str]) -> Crew:
    """People at a terminal: each decision waits for an answer, while the scene's clock stands."""

    def crew(
        connection: sa.Connection, run: str, row: Mapping[str, Any], step: Step, now: datetime
    ) -> None:
        person = (ANN, BOB)[min(len(row["approvals"]), 1)]
        if row["state"] == "approval":
            if confirm(f"{step.title} ({row['why']}): approve as {person.name}?"):
                approve(connection, run, step.id, person, now=now)
            else:
                skip(connection, run, step.id, person, "not approved in the drill", now=now)
            return
        written = {name: prompt(f"{step.guide}\n{step.title}, {name}") for name in step.evidence}
        sign_off(connection, run, step.id, person, written, now=now)

    return crew


def taken_back(playbook: Playbook, folder: Path, seed: int) -> dict[str, bool]:
    """A false alarm: what the first phase did by itself is taken back; by step whether it was."""
    played = Drill(playbook, scene_for(playbook.playbook, folder, seed), folder)
    first = [step.id for step in playbook.phases[0].steps if step.undo]
    try:
        played.play(scripted, lambda rows: all(rows[name]["state"] in END for name in first))
        rows = played.steps()
        done = [name for name in first if rows and rows[name]["state"] == "done"]
        for name in done:
            with played.engine.begin() as connection:
                take_back(connection, played.run, name, ANN, now=played.scene.now)
        undone = [f"{name}_undo" for name in done]
        if undone:
            played.play(scripted, lambda rows: all(rows[name]["state"] in END for name in undone))
        rows = played.steps()
        return {name: rows[f"{name}_undo"]["state"] == "done" for name in done}
    finally:
        played.engine.dispose()


def drill(
    playbook: Playbook, folder: Path, *, seed: int = 0, crew: Crew = scripted
) -> dict[str, Any]:
    """Play a playbook, play the same without it, and grade it.

    Parameters
    ----------
    folder : Path
        For the drill's own store, lake and evidence; empty.
    crew : callable
        Who decides; by default two scripted people.

    Returns
    -------
    dict
        See `serving.playbooks.grade.graded`.
    """
    played = Drill(playbook, scene_for(playbook.playbook, folder / "with", seed), folder / "with")
    try:
        played.play(crew)
        # The same incident with nobody to stop it, for as long as it took to contain it and more.
        alone = scene_for(playbook.playbook, folder / "without", seed)
        until = (played.contained_at or played.scene.now) + timedelta(minutes=10)
        while alone.now < until:
            alone.live()
        undo = taken_back(playbook, folder / "false_alarm", seed)
        return graded(played, lost_without=alone.lost(), undo=undo)
    finally:
        played.engine.dispose()


def remember(connection: sa.Connection, grade: Mapping[str, Any], *, now: datetime) -> None:
    """Keep a playbook's latest grade, so that coverage knows when it was last drilled."""
    kept = {**grade, "at": now.isoformat()}
    upsert(connection, memory, [{"part": PART, "key": grade["playbook"], "state": kept}])
