"""A drill: a playbook played against a made-up incident by a compressed clock, and graded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.database import open_engine
from pipeline.lake import Lake
from pipeline.scoring.scorer import SCORES
from serving.alerts.acts import FIELDS, close_incident
from serving.alerts.engine import AlertEngine
from serving.alerts.ledger import Ledger
from serving.alerts.lifecycle import AlertError
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.crew import ANN, Crew, scripted
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.grade import graded
from serving.playbooks.people import sign_off, take_back
from serving.playbooks.rows import Row, RunError, by_the_book
from serving.playbooks.runner import Runner
from serving.playbooks.scenes import Scene, scene_for
from serving.playbooks.start import start
from serving.playbooks.waiting import END
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.store.tables import METADATA, alerts, run_steps, runs

__all__ = ["Drill", "drill"]

PATIENCE = timedelta(minutes=30)
"""A scene that no rule has noticed by then is not noticed."""
LONGEST = timedelta(hours=6)


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
        self.run = self.incident = ""
        self.contained_at: datetime | None = None
        self.lost = 0.0
        self.refused: dict[str, bool] = {}
        self.closed_early = self.closed = False
        self._preempt = self.scene.preempt(self.engine, self._ledger)

    def play(
        self, crew: Crew | None = None, until: Callable[[dict[str, Row]], bool] | None = None
    ) -> None:
        """Until the run is over, or the steps are as asked, or for `LONGEST`.

        By default the crew is `scripted`.
        """
        crew = crew or scripted(self.scene.answer)
        began = self.scene.now
        while self.scene.now - began < (LONGEST if self.run else PATIENCE):
            self._live()
            if self._preempt is not None and not self.run:
                self._preempt.tick(now=self.scene.now)
            if self.run:
                self.runner.tick(now=self.scene.now)
                self._decide(crew)
                rows = self.steps()
                if self._state() != "running" or (until and until(rows)) or self._held(rows):
                    break
        self.closed = self._state() == "done" and self._close()

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
        if self.contained_at is None and self.scene.contained():
            self.contained_at = now

    def _ledger(self, connection: sa.Connection, now: datetime) -> Ledger:
        return Ledger(connection, (), (), self._start, lambda one: one.entity, now=now)

    def _start(
        self,
        connection: sa.Connection,
        incident: Mapping[str, Any],
        alert: Mapping[str, Any],
        now: datetime,
    ) -> None:
        if not self.run and alert["playbook"] == self.playbook.playbook:
            self.run = start(connection, self.playbook, incident, alert, mode="drill", now=now)
            self.incident = incident["id"]

    def _decide(self, crew: Crew) -> None:
        asked = sa.select(run_steps).where(run_steps.c.state.in_(["approval", "manual"]))
        with self.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        for row in rows:
            with self.engine.begin() as connection:
                step = by_the_book(connection, self.run, row["step"])
            if step.evidence and step.id not in self.refused:
                self.refused[step.id] = self._refuses(step)
            with self.engine.begin() as connection:
                crew(connection, self.run, row, step, self.scene.now)
            if step.kind == "manual" and self.steps()[step.id]["state"] == "done":
                self.scene.told(step.id)

    def _refuses(self, step: Step) -> bool:
        """Whether what must be written down cannot be left empty."""
        if set(step.evidence) & set(FIELDS):
            self.closed_early = self.closed_early or self._close()
        empty = dict.fromkeys(step.evidence, " ")
        with suppress(RunError), self.engine.begin() as connection:
            sign_off(connection, self.run, step.id, ANN, empty, now=self.scene.now)
            return False
        return True

    def _close(self) -> bool:
        """Whether the incident can be closed now."""
        with suppress(AlertError), self.engine.begin() as connection:
            close_incident(connection, self.incident, who=ANN.name, now=self.scene.now)
            return True
        return False

    def _state(self) -> str:
        with self.engine.connect() as connection:
            found = connection.execute(sa.select(runs.c.state)).scalar_one_or_none()
        return found or "not started"

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


def taken_back(playbook: Playbook, scene: Scene, folder: Path) -> dict[str, bool]:
    """A false alarm: what the first phase did by itself is taken back; by step whether it was."""
    first = [step.id for step in playbook.phases[0].steps if step.undo]
    if not first:
        return {}
    played = Drill(playbook, scene, folder)
    try:
        played.play(until=lambda rows: all(rows[name]["state"] in END for name in first))
        rows = played.steps()
        done = [name for name in first if rows and rows[name]["state"] == "done"]
        for name in done:
            with played.engine.begin() as connection:
                take_back(connection, played.run, name, ANN, now=played.scene.now)
        undone = [f"{name}_undo" for name in done]
        if undone:
            played.play(until=lambda rows: all(rows[name]["state"] in END for name in undone))
        rows = played.steps()
        return {name: rows[f"{name}_undo"]["state"] == "done" for name in done}
    finally:
        played.engine.dispose()


def drill(
    playbook: Playbook,
    folder: Path,
    *,
    seed: int = 0,
    crew: Crew | None = None,
    anvil: bool = False,
) -> dict[str, Any]:
    """Play a playbook, play the same without it, and grade it.

    Parameters
    ----------
    folder : Path
        For the drill's own store, lake and evidence; empty.
    crew : callable
        Who decides; by default two scripted people.
    anvil : bool
        On anvil, whose waiting transactions are watched.

    Returns
    -------
    dict
        See `serving.playbooks.grade.graded`.
    """
    with ExitStack() as stack:

        def scene(name: str) -> Scene:
            made = scene_for(playbook.playbook, folder / name, seed, anvil=anvil)
            stack.callback(made.close)
            return made

        played = Drill(playbook, scene("with"), folder / "with")
        stack.callback(played.engine.dispose)
        played.play(crew)
        # The same incident with nobody to stop it: to its end, or for longer than it took.
        alone = scene("without")
        until = alone.ends or (played.contained_at or played.scene.now) + timedelta(minutes=10)
        while alone.now < until:
            alone.live()
        undo = taken_back(playbook, scene("false_alarm"), folder / "false_alarm")
        return graded(played, lost_without=alone.lost(), undo=undo)
