"""The benign twins of all scenarios: whatever rules say of them, nothing acts by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from features.catalogue import VIEWS
from features.windows import Windower
from pipeline.scoring.scorer import SCORES
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS, Scenario
from pipeline.simulate.scenarios.scenario import Kind
from pipeline.sources.chain import Chain
from pipeline.sources.chain_rpc import Rpc
from serving.alerts.engine import AlertEngine
from serving.alerts.muting import MAINTENANCE
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import load_library
from serving.playbooks.policy import WATCHED
from serving.playbooks.runner import Runner
from serving.playbooks.simulated import SimulatedPlatform
from serving.playbooks.start import start
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.store.tables import run_steps, runs, silences

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
CALM, SLICE = timedelta(minutes=30), timedelta(minutes=10)
PATIENCE = timedelta(hours=2)
LIBRARY = load_library()
CHAIN = ("transactions", "calls")
MARKET = {"trades", "orders", "market_data"}
LEEWAY = timedelta(minutes=10)
"""Until a feed that was away is heard of as usual."""


class Twin:
    """A scenario, lived through, with the rules that watch and the playbooks that may start."""

    def __init__(self, scenario: Scenario, engine: sa.Engine, kind: Kind = "decoy") -> None:
        self.engine, self.started = engine, list[str]()
        world = None
        if scenario.needs:
            node = EthTesterNode(round((START - CALM).timestamp()))
            every = timedelta(minutes=1)
            world = World(node, seed=1, start=START - CALM, every=every, timelock=PATIENCE)
            world.deploy()
            newest = int(world.ledger.request("eth_blockNumber"), 16)
            self.chain = Chain(Rpc([node]), watched=world.watched, start=newest, confirmations=0)
            self.chain.heads()
        pairs = PAIRS if MARKET & {*scenario.streams} else PAIRS[-2:]
        self.platform = Platform(
            scenario.number, START, pairs=pairs, activity=0.05, chain=world, patience=PATIENCE
        )
        truth = scenario.play(self.platform, START + CALM, kind, strength=1.0)
        self.until = truth["end"].max() + CALM
        self.announce(truth.filter(pl.col("stage") == "maintenance"))
        views = [view for view in VIEWS.values() if view.stream.name in scenario.streams]
        self.windowers = {view.name: Windower(view) for view in views}
        packs = load_packs([PACKS])
        self.alerts = AlertEngine(
            RuleBook(packs), Correlator(packs), inhibitions=inhibitions(packs), start=self.start
        )

    def announce(self, stages: pl.DataFrame) -> None:
        """Put what people announce into the calendar: the maintenance of a venue."""
        for (venue,), part in stages.group_by(pl.col("entity").str.split("|").list.last()):
            row = {
                "id": f"{venue}",
                "kind": MAINTENANCE,
                "matchers": [{"label": "entity", "operator": "=~", "value": rf"(.*\|)?{venue}"}],
                "starts_at": part["start"].min(),
                "ends_at": part["end"].max() + LEEWAY,
                "created_by": "ann",
                "comment": "announced",
                "warned_at": None,
            }
            with self.engine.begin() as connection:
                connection.execute(silences.insert().values(**row))

    def start(
        self,
        connection: sa.Connection,
        incident: Mapping[str, Any],
        alert: Mapping[str, Any],
        now: datetime,
    ) -> None:
        if alert["playbook"] in LIBRARY:
            self.started.append(f"{alert['playbook']}: {alert['why']}")
            start(connection, LIBRARY[alert["playbook"]], incident, alert, now=now)

    def live(self) -> None:
        """All of it, and the first tick of what started."""
        services = {"platform": SimulatedPlatform().client()}
        runner = Runner(self.engine, ACTIONS, services=services, who="twin")
        now = START
        while now < self.until:
            now += SLICE
            events = self.platform.advance(now)
            if self.platform.chain is not None:
                heads = [head for head in self.chain.heads() if head.kind == "apply"]
                for name in CHAIN:
                    events[name] = pl.concat([getattr(head, name) for head in heads])
            for name, windower in self.windowers.items():
                frame = windower.push(events[VIEWS[name].stream.name], now).windows
                with self.engine.begin() as connection:
                    nothing = pl.DataFrame(schema=SCORES)
                    self.alerts.take(connection, VIEWS[name], frame, nothing, [], now=now)
            runner.tick(now=now)

    def acted(self) -> list[str]:
        """Steps that contain something and began, well or not, with nobody asked."""
        wanted = sa.select(runs.c.playbook, run_steps.c.step, run_steps.c.why).where(
            runs.c.id == run_steps.c.run,
            run_steps.c.people == 0,
            run_steps.c.state.not_in(["waiting", "skipped"]),
        )
        with self.engine.connect() as connection:
            begun = connection.execute(wanted).all()
        actions = {
            (name, step.id): step.action for name in LIBRARY for _, step in LIBRARY[name].steps
        }
        return [
            f"{row.step}: {row.why}"
            for row in begun
            if (action := actions[row.playbook, row.step]) and ACTIONS[action].effect in WATCHED
        ]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_benign_twin_starts_no_automatic_action(name: str, engine: sa.Engine) -> None:
    twin = Twin(SCENARIOS[name], engine)
    twin.live()
    assert twin.acted() == [], twin.started


@pytest.mark.slow
def test_the_same_eyes_see_that_an_attack_is_acted_upon(engine: sa.Engine) -> None:
    attack = Twin(SCENARIOS["s09_bad_feed"], engine, "attack")
    attack.live()
    assert any(one.startswith("fail_over: done: take feed ") for one in attack.acted())
