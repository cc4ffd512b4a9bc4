"""Made-up incidents on the platform: harm goes on until what the playbook does stops it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from features.windows import Windower
from pipeline.simulate.exchange import PAIRS, Pair
from pipeline.simulate.machines import Strain
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS, Scenario
from serving.playbooks.actions.admin import named
from serving.playbooks.preempt import Preempt
from serving.playbooks.scene_chain import Ledgers
from serving.playbooks.simulated import SimulatedPlatform

__all__ = ["CALM", "AbuseScene", "FeedScene", "Harm", "PlatformScene", "StrainScene"]

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
CALM = timedelta(minutes=5)
"""How long a platform lives normally before the attack."""
READING = 0.1
"""Share of the load that is left when no orders are let in."""
Harm = dict[str, Any]
"""A stage of the scenario that does harm: ``stage``, ``entity``, ``start``, ``end``."""


class PlatformScene:
    """A scenario on the made-up platform; harm is each minute of it that nothing stops.

    Parameters
    ----------
    scenario : Scenario
    views : tuple of str
        What its rules judge.
    seed : int
    strength : float
        Times the usual attack.
    activity, pairs, patience
        Of the platform.
    """

    step = timedelta(seconds=30)
    unit = "minutes"
    harmful_stages: tuple[str, ...] = ()
    """Stages of the scenario that do harm; empty for all."""

    def __init__(
        self,
        scenario: Scenario,
        views: tuple[str, ...],
        seed: int,
        *,
        strength: float = 1.0,
        activity: float = 0.3,
        pairs: tuple[Pair, ...] = PAIRS,
        patience: timedelta | None = None,
    ) -> None:
        self.now = START
        self.platform = Platform(seed, START, pairs=pairs, activity=activity, patience=patience)
        self.truth = scenario.play(self.platform, START + CALM, "attack", strength=strength)
        harmful = pl.col("stage").is_in(self.harmful_stages or self.truth["stage"].to_list())
        spans = self.truth.filter(harmful).select("stage", "entity", "start", "end")
        self.harms: list[Harm] = spans.unique(maintain_order=True).rows(named=True)
        self.onset: datetime | None = min(harm["start"] for harm in self.harms)
        self.ends: datetime | None = max(harm["end"] for harm in self.harms)
        self.admin = SimulatedPlatform(on_change=self.changed)
        self.services: dict[str, Any] = {"platform": self.admin.client()}
        self._windowers = {name: Windower(VIEWS[name]) for name in views}
        self._lost = 0.0

    def live(self) -> dict[str, pl.DataFrame]:
        """Half a minute of everything."""
        return self._until(self.now + self.step)

    def _until(self, until: datetime) -> dict[str, pl.DataFrame]:
        self.now = until
        events = self.platform.advance(until)
        self._lost += self.harm(events)
        found = {}
        for name, windower in self._windowers.items():
            closed = windower.push(events[VIEWS[name].stream.name], until)
            if len(closed.windows):
                found[name] = closed.windows
        return found

    def harm(self, events: Mapping[str, pl.DataFrame]) -> float:
        """Harm done in the last step."""
        active = [one for one in self.harms if one["start"] <= self.now < one["end"]]
        stopped = all(self.stopped(one) for one in active)
        return 0.0 if stopped else self.step / timedelta(minutes=1)

    def stopped(self, harm: Harm) -> bool:
        """Whether what was done to the platform stops this harm."""
        return False

    def contained(self) -> bool:
        """Whether something is stopped, and nothing that is to come is not."""
        left = [one for one in self.harms if one["end"] > self.now]
        return bool(left) and all(self.stopped(one) for one in left)

    def lost(self) -> float:
        """The harm so far."""
        return self._lost

    def told(self, step: str) -> None:
        """Nothing that people do by hand changes this platform."""

    def answer(self, step: str, name: str) -> str:
        """What a person who looks can write down by now; empty while there is nothing to see."""
        return "drilled"

    def changed(self, resource: str, state: Mapping[str, Any]) -> None:
        """Nothing follows from what is done to the platform but that harm stops."""

    def preempt(self, engine: sa.Engine, ledger: Ledgers) -> Preempt | None:
        """Nothing waits here before it happens."""
        return None

    def close(self) -> None:
        """Nothing is to be let go."""

    def state(self, resource: str) -> dict[str, Any]:
        """What a resource of the platform is now; all that scenes ask for are there."""
        return self.admin.state(resource) or {}

    def frozen(self, account: str) -> bool:
        """Whether nothing can leave an account."""
        return bool(self.state(named("accounts", account))["frozen"])


class StrainScene(PlatformScene):
    """S8: the machines answer to what is done: load shed, a query stopped, a version put back."""

    unit = "minutes above a limit"

    def __init__(self, views: tuple[str, ...], seed: int) -> None:
        super().__init__(SCENARIOS["s08_degradation"], views, seed)
        self._begins, self.onset, self.ends = self.onset, None, None
        self._let_in: dict[str, Any] = {"percent": 100, "open": True}

    def harm(self, events: Mapping[str, pl.DataFrame]) -> float:
        """Half a minute where requests are slow or fail."""
        if not self.harmful():
            return 0.0
        self.onset = self.onset or self.now
        return self.step / timedelta(minutes=1)

    def harmful(self) -> bool:
        """Whether requests are slow or fail now."""
        machines = self.platform.machines
        began = self._begins is not None and self._begins <= self.now
        return began and (machines.response > 500 or machines.errors > 0.01)

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

    def changed(self, resource: str, state: Mapping[str, Any]) -> None:
        """A query ends; the load is what is let in."""
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


class AbuseScene(PlatformScene):
    """S5: spoofing goes on until the account is held to less, or the symbol is halted."""

    def __init__(self, views: tuple[str, ...], seed: int) -> None:
        # As long as a spoofer who is let alone: people decide on the restriction.
        super().__init__(SCENARIOS["s05_spoofing"], views, seed, strength=3.0)

    def stopped(self, harm: Harm) -> bool:
        """Its requests are throttled, or its symbol does not trade."""
        account, _, symbol = harm["entity"].partition("|")
        held = self.state(named("keys", account))["per_minute"]
        return bool(held or self.state(named("markets", symbol))["halted"])

    def answer(self, step: str, name: str) -> str:
        """Who it was."""
        account = str(self.harms[0]["entity"]).partition("|")[0]
        return account if name == "accounts" else "drilled"


class FeedScene(PlatformScene):
    """S9: bad prices are believed until the feed is taken from elsewhere or the symbol halts."""

    def __init__(self, views: tuple[str, ...], seed: int) -> None:
        super().__init__(SCENARIOS["s09_bad_feed"], views, seed)

    def stopped(self, harm: Harm) -> bool:
        """Nobody trades by this feed."""
        source = self.state(named("feeds", harm["entity"]))["source"]
        symbol = harm["entity"].partition("|")[0]
        return source == "secondary" or bool(self.state(named("markets", symbol))["halted"])

    def told(self, step: str) -> None:
        """The venue repairs its feed."""
        if step == "repair":
            feeds, at = self.platform.feeds, self.platform.horizon
            feeds.faults = [replace(one, end=min(one.end, at)) for one in feeds.faults]
            self.harms = [one | {"end": min(one["end"], self.now)} for one in self.harms]
