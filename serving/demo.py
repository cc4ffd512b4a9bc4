"""`tocsin demo`: the whole house before a made-up platform on which attacks and their twins play.

The platform and the house move on together, some simulated minutes at a time, and simulated time
is the clock of the house. Quiet hours are streamed first, so that models know what is normal; they
are kept, and every demonstration begins from a copy of them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from features.catalogue import STREAMS, VIEWS
from pipeline.config import Config, read_config
from pipeline.database import reading
from pipeline.lifecycle.enlist import BusyError
from pipeline.simulate.platform import Platform
from pipeline.sources.kinds import build
from pipeline.stream.live import loop_of
from serving.demo_cast import Act, Cast
from serving.demo_chain import DemoChain
from serving.demo_told import Told, result, told_of
from serving.house import House
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.runner import Runner
from serving.playbooks.simulated import SimulatedPlatform
from serving.services import connect
from serving.store.keys import Role
from serving.store.tables import alerts, run_steps, runs, sessions, silences
from serving.store.users import LIFE, set_user

__all__ = ["QUIET", "SLICE", "USER", "Demo", "demonstration"]

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
QUIET = timedelta(hours=3)
SLICE, QUIET_SLICE = timedelta(minutes=5), timedelta(minutes=30)
PATIENCE = timedelta(minutes=20)
"""Nobody who plays waits longer than this: not six hours, nor three weeks."""
LEEWAY = timedelta(minutes=15)
"""An announcement is longer than the work, as announcements are."""
USER = "demo"
CONFIG = """\
# Written by `tocsin demo`; `tocsin serve --config` with this file shows what the last one left.
home: live
models: cold
serving:
  port: {port}
  routes:
    - {{name: page, at_least: high, again: 15m, waves: [{{channels: [dashboard]}}]}}
    - {{name: tell, waves: [{{channels: [dashboard]}}]}}
sources:
"""


class Demo:
    """A platform and the house that watches it, moved on together.

    Parameters
    ----------
    config : Config
        With a source of kind push for each stream, by the stream's name.
    seed : int
        Of the platform.
    now : datetime
        Where both stand: the platform lives up to it unseen.
    numbers : collection of int, optional
        Scenarios to play, see `serving.demo_cast`.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        now: datetime,
        numbers: Collection[int] | None = None,
    ) -> None:
        self.seed, self.now = seed, now
        self.chain = DemoChain(seed, START, config.home / "keys") if DemoChain.possible() else None
        world = self.chain.world if self.chain else None
        self.platform = Platform(seed, START, chain=world, patience=PATIENCE)
        if now > START:
            self.platform.advance(now)
        if self.chain:
            self.chain.events()
        self.house = House.open(config, clock=lambda: self.now)
        services = connect(self.house.settings.playbooks.services, config, self.house.lake)
        services["platform"] = SimulatedPlatform().client()
        if self.chain:
            services |= self.chain.services
        self.house.runner = Runner(self.house.engine, ACTIONS, services=services, who="demo")
        self._alerts = self.house.alerts()
        self._loop = loop_of(config, build(config, lambda: self.now), sink=self._alerts)
        self._told: set[str] = set()
        self._done: set[tuple[str, str]] = set()
        self._numbers = numbers
        self.again()
        self.news()

    def again(self) -> None:
        """Let everybody play, from now on."""
        if self.chain:
            self.chain.resume()
        self.cast = Cast(self.platform, self.now, self._numbers)
        self._keep_calendar()

    def advance(self, until: datetime) -> None:
        """Let both live on: events arrive, windows close, alerts fire, playbooks act."""
        events = self.platform.advance(until)
        if self.chain:
            events |= self.chain.events()
        for stream, rows in events.items():
            self.house.spools[stream].append(rows)
        self.now = until
        while self._loop.step(until):
            pass
        with self.house.engine.begin() as connection:
            self._alerts.tick(connection, now=until)
            # At sixty times real time who has signed in would be out after twelve minutes.
            connection.execute(sessions.update().values(expires_at=until + LIFE))
        self.house.runner.tick(now=until)
        if self.chain:
            self.chain.settle()
        self.house.outbox.tick(now=until)

    def news(self) -> list[Told]:
        """The alerts that fired since the last call, and the steps of playbooks that ended."""
        with reading(self.house.engine) as connection:
            fired = sa.select(alerts).where(alerts.c.fired_at.is_not(None))
            ordered = connection.execute(fired.order_by(alerts.c.fired_at, alerts.c.id))
            every = [dict(row) for row in ordered.mappings()]
            ended = (
                sa.select(run_steps, runs.c.playbook, runs.c.incident, runs.c.definition)
                .join(runs, runs.c.id == run_steps.c.run)
                .where(run_steps.c.ended_at.is_not(None))
                .order_by(run_steps.c.ended_at, run_steps.c.run, run_steps.c.position)
            )
            steps = [
                dict(row)
                for row in connection.execute(ended).mappings()
                if (row["run"], row["step"]) not in self._done
            ]
        fresh = {row["id"] for row in every} - self._told
        self._told |= fresh
        self._done |= {(row["run"], row["step"]) for row in steps}
        return told_of(every, fresh, steps, self.cast)

    def result(self) -> dict[str, Any]:
        """What was found of what was played so far, as JSON values."""
        return {"seed": self.seed} | result(self.house.engine, self.cast, now=self.now)

    def invite(self, password: str) -> None:
        """Let somebody sign in at the pages, as ``demo``."""
        with self.house.engine.begin() as connection:
            set_user(connection, USER, password, Role.ADMIN, who="tocsin", now=self.now)

    def close(self) -> None:
        """Let go of the home."""
        self._loop.close()
        self._loop.checkpoint.close()
        self.house.close()

    def _keep_calendar(self) -> None:
        """Announce what people announce: the maintenance that S9's twin plays."""
        rows = [
            _maintenance(act) for act in self.cast.acts if (act.number, act.kind) == (9, "decoy")
        ]
        if rows:
            with self.house.engine.begin() as connection:
                connection.execute(silences.insert(), rows)


@contextmanager
def demonstration(
    home: Path,
    *,
    seed: int,
    port: int = 0,
    quiet: timedelta = QUIET,
    numbers: Collection[int] | None = None,
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> Iterator[Demo]:
    """A demonstration about to begin, in ``home/seed-<seed>``.

    The first one of a seed streams the quiet hours; later ones find them there.

    Parameters
    ----------
    home : Path
    seed : int
    port : int
        Where the pages will be; 0 takes a free one.
    quiet : timedelta
        How much normal life is learned first.
    numbers : collection of int, optional
        Scenarios to play.
    progress : callable
        Told the step at work and its share done, 0 to 1.

    Raises
    ------
    BusyError
        Another demonstration runs there.
    """
    folder = home / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        pushes = "".join(f"  - {{kind: push, name: {s}, stream: {s}}}\n" for s in STREAMS)
        (folder / "tocsin.yaml").write_text(CONFIG.format(port=port) + pushes, encoding="utf-8")
        config = read_config(folder / "tocsin.yaml")
        known = folder / f"quiet-{_key(quiet)}"
        if not known.exists():
            _live_quietly(config, seed, known, quiet, progress)
        progress("the stage is set", 1.0)
        shutil.rmtree(config.home, ignore_errors=True)
        # What is only ever replaced, never written in, need not be there twice.
        shutil.copytree(known, config.home, copy_function=_copied)
        with closing(Demo(config, seed, START + quiet, numbers)) as demo:
            yield demo


def _live_quietly(
    config: Config,
    seed: int,
    known: Path,
    quiet: timedelta,
    progress: Callable[[str, float], None],
) -> None:
    """Stream the quiet hours into a home of their own, whole or not at all."""
    for old in known.parent.glob("*quiet-*"):
        shutil.rmtree(old)
    half = known.with_name(f".{known.name}")
    # A false alarm of the first hours would begin runs that nobody is there to see.
    serving = config.serving | {"playbooks": {"start": False}}
    with closing(
        Demo(config.model_copy(update={"home": half, "serving": serving}), seed, START, ())
    ) as demo:
        while demo.now < START + quiet:
            progress("streaming quiet hours", (demo.now - START) / quiet)
            demo.advance(min(demo.now + QUIET_SLICE, START + quiet))
    half.rename(known)


def _key(quiet: timedelta) -> str:
    """Of what the quiet hours depend on: how long, and what is measured."""
    measured = {name: view.names for name, view in VIEWS.items()}
    return hashlib.sha256(f"{START} {quiet} {measured}".encode()).hexdigest()[:8]


def _copied(source: str, target: str) -> None:
    if source.endswith((".parquet", ".npz")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _maintenance(act: Act) -> dict[str, Any]:
    (venue,) = {s.entity.split("|")[1] for s in act.stages if s.name == "maintenance"}
    stages = [stage for stage in act.stages if stage.name == "maintenance"]
    return {
        "id": hashlib.sha256(f"{venue} {act.start}".encode()).hexdigest()[:16],
        "kind": "maintenance",
        "matchers": [{"label": "entity", "operator": "=~", "value": rf"(.*\|)?{venue}"}],
        "starts_at": min(stage.start for stage in stages),
        "ends_at": max(stage.end for stage in stages) + LEEWAY,
        "created_by": USER,
        "comment": f"{venue} announced it",
        "warned_at": None,
    }


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "_lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another demonstration runs in {folder}") from None
        yield
