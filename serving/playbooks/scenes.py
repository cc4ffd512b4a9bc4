"""Made-up incidents to drill against: an attack that goes on until the playbook stops it.

A scene lives by its own clock, hands over the windows that its rules judge, and says how much
harm was done and whether it goes on. What the playbook does to the platform or to the chain
changes the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from features.catalogue import VIEWS
from features.windows import Windower
from pipeline.simulate.machines import Strain
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS
from serving.playbooks.scene_chain import ChainScene
from serving.playbooks.simulated import SimulatedPlatform

__all__ = ["SCENES", "PlatformScene", "Scene", "StrainScene", "scene_for"]

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
READING = 0.1
"""Share of the load that is left when no orders are let in."""
CALM = timedelta(minutes=5)
"""How long a platform lives normally before the attack."""


class Scene(Protocol):
    """What a drill plays against.

    Attributes
    ----------
    step : timedelta
        How far it lives at a time.
    onset : datetime or None
        When the first harm was done; None before.
    unit : str
        What ``lost`` counts.
    services : dict
        For the actions.
    """

    step: timedelta
    onset: datetime | None
    unit: str
    services: dict[str, Any]

    @property
    def now(self) -> datetime:
        """How far it has lived."""

    def live(self) -> dict[str, pl.DataFrame]:
        """Live one step on; the windows that are closed by then, by view."""

    def contained(self) -> bool:
        """Whether no further harm can be done."""

    def lost(self) -> float:
        """The harm so far."""

    def told(self, step: str) -> None:
        """A person has done a step by hand."""


class PlatformScene:
    """A scenario on the made-up platform; harm is each minute of it that nothing stops.

    Parameters
    ----------
    scenario : str
        Name in `pipeline.simulate.scenarios.SCENARIOS`.
    views : sequence of str
        What its rules judge.
    stopped_by : callable
        From a resource of the platform and its state: whether that stops the attack.
    seed : int
    """

    step = timedelta(seconds=30)
    unit = "minutes"

    def __init__(
        self,
        scenario: str,
        views: tuple[str, ...],
        stopped_by: Callable[[str, Mapping[str, Any]], bool],
        seed: int,
    ) -> None:
        self.now = START
        self.platform = Platform(seed, START, activity=0.3)
        truth = SCENARIOS[scenario].play(self.platform, START + CALM, "attack", strength=1.0)
        self._begins: datetime = truth.select(pl.col("start").min()).item()
        self._ends: datetime = truth.select(pl.col("end").max()).item()
        self.onset: datetime | None = None
        self._windowers = {name: Windower(VIEWS[name]) for name in views}
        self._stopped_by, self._stopped, self._lost = stopped_by, False, 0.0
        self.services = {"platform": SimulatedPlatform(on_change=self._changed).client()}

    def live(self) -> dict[str, pl.DataFrame]:
        """Half a minute of everything."""
        self.now += self.step
        events = self.platform.advance(self.now)
        if self.harmful():
            self.onset = self.onset or self.now
            self._lost += self.step / timedelta(minutes=1)
        found = {}
        for name, windower in self._windowers.items():
            closed = windower.push(events[VIEWS[name].stream.name], self.now)
            if len(closed.windows):
                found[name] = closed.windows
        return found

    def harmful(self) -> bool:
        """Whether harm is being done now."""
        return not self._stopped and self._begins <= self.now < self._ends

    def contained(self) -> bool:
        """Whether what was done stops it."""
        return self._stopped

    def lost(self) -> float:
        """Minutes of harm."""
        return self._lost

    def told(self, step: str) -> None:
        """Nothing that people do by hand changes this platform."""

    def _changed(self, resource: str, state: Mapping[str, Any]) -> None:
        self._stopped = self._stopped or self._stopped_by(resource, state)


class StrainScene(PlatformScene):
    """S8: the machines answer to what is done: load shed, a query stopped, a version put back."""

    unit = "minutes above a limit"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._let_in: dict[str, Any] = {"percent": 100, "open": True}

    def harmful(self) -> bool:
        """Whether requests are slow or fail now."""
        machines = self.platform.machines
        return self._begins <= self.now and (machines.response > 500 or machines.errors > 0.01)

    def contained(self) -> bool:
        """Whether it began and no limit is broken now."""
        return self.onset is not None and not self.harmful()

    def told(self, step: str) -> None:
        """The slow statement is made fast; the version that leaks is put back."""
        ended = {"optimise": "slow_query", "roll_back": "leak"}.get(step)
        if ended is not None:
            self._end(ended)
        if ended == "leak":
            at = self.platform.horizon
            self.platform.machines.strains.append(Strain("restart", at, at + 30_000_000))

    def _changed(self, resource: str, state: Mapping[str, Any]) -> None:
        machines, at = self.platform.machines, self.platform.horizon
        if resource.startswith("database/queries/"):
            self._end("slow_query")
        if resource in ("gates/load", "gates/trading"):
            self._let_in |= state
            share = self._let_in["percent"] / 100 if self._let_in["open"] else READING
            self._end("traffic")
            machines.strains.append(Strain("traffic", at, at + 10**15, share))

    def _end(self, kind: str) -> None:
        machines, at = self.platform.machines, self.platform.horizon
        machines.strains = [
            replace(one, end=min(one.end, at)) if one.kind == kind else one
            for one in machines.strains
        ]


def _is(beginning: str, field: str, value: object) -> Callable[[str, Mapping[str, Any]], bool]:
    return lambda resource, state: resource.startswith(beginning) and state.get(field) == value


SYSTEM = ("system.service_1m", "system.host_1m", "system.database_1m", "orders.symbol_1m")
FEED = ("market_data.symbol_venue_5s", "market_data.symbol_venue_1m")
SCENES: dict[str, Callable[[Path, int], Scene]] = {
    "contract_compromise": ChainScene,
    "performance_degradation": lambda folder, seed: StrainScene(
        "s08_degradation", (*SYSTEM, FEED[1]), lambda resource, state: False, seed
    ),
    "account_takeover": lambda folder, seed: PlatformScene(
        "s03_account_takeover",
        ("access.ip_1m", "access.asn_1m", "access.account_5m", "access.key_1m"),
        _is("accounts/", "frozen", True),
        seed,
    ),
    "market_abuse": lambda folder, seed: PlatformScene(
        "s05_spoofing", ("orders.account_symbol_5s",), _is("keys/", "per_minute", 30), seed
    ),
    "market_data_failure": lambda folder, seed: PlatformScene(
        "s09_bad_feed", FEED, _is("feeds/", "source", "secondary"), seed
    ),
}
"""What each playbook is drilled against."""


def scene_for(playbook: str, folder: Path, seed: int) -> Scene:
    """A fresh scene.

    Raises
    ------
    KeyError
        The playbook has none.
    """
    return SCENES[playbook](folder, seed)
