"""Two vaults are robbed within a minute: each has its incident, its run and its pause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.scoring.scorer import SCORES
from pipeline.simulate.chain.node import EthTesterNode
from pipeline.simulate.chain.world import World
from serving.alerts.engine import AlertEngine
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import load_library
from serving.playbooks.runner import Runner
from serving.playbooks.scene_chain import chain_services
from serving.playbooks.start import start
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import PACKS, load_packs
from serving.store.tables import alerts, incidents, run_steps, runs

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BLOCK = timedelta(seconds=12)
VIEW = VIEWS["transactions.address_12s"]
BOOK = load_library()["contract_compromise"]


class Bench:
    """Rules that watch two vaults, and a runner that can pause them."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self.engine, self.now = engine, START
        self.world = World(EthTesterNode(round(START.timestamp())), seed=1, start=START)
        self.world.deploy()
        services = chain_services(self.world, folder)
        names = ("vault", "unsafe_vault")
        self.vaults = [self.world.contracts[name].address.lower() for name in names]
        self.runner = Runner(engine, ACTIONS, services=services, who="bench")
        packs = load_packs([PACKS])
        self.alerts = AlertEngine(
            RuleBook(packs), Correlator(packs), inhibitions=inhibitions(packs), start=self.start
        )

    @staticmethod
    def start(
        connection: sa.Connection,
        incident: Mapping[str, Any],
        alert: Mapping[str, Any],
        now: datetime,
    ) -> None:
        start(connection, BOOK, incident, alert, now=now)

    def block(self, *robbed: str) -> None:
        """One block in which vaults are robbed, in each of several ways."""
        begun, self.now = self.now, self.now + BLOCK
        harm = {"reserves_minus_liabilities": -5.0, "most_withdrawals": 8.0}
        rows = [
            {"entity": name, "address": name, "start": begun, "end": self.now}
            | {"largest_outflow_share": 0.3, **harm}
            for name in sorted(robbed)
        ]
        windows = pl.DataFrame(rows, schema=dict(VIEW.schema))
        nothing = pl.DataFrame(schema=SCORES)
        with self.engine.begin() as connection:
            self.alerts.take(connection, VIEW, windows, nothing, [], now=self.now)
        self.runner.tick(now=self.now)
        self.world.ledger.mine()

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]

    def paused(self) -> list[bool]:
        ask = self.world.ledger.ask
        contracts = (self.world.contracts[name] for name in ("vault", "unsafe_vault"))
        return [bool(ask(one, "paused")) for one in contracts]


@pytest.fixture
def bench(engine: sa.Engine, tmp_path: Path) -> Bench:
    return Bench(engine, tmp_path)


def test_two_vaults_robbed_within_a_minute_are_both_paused(bench: Bench) -> None:
    first, second = bench.vaults
    bench.block(first)
    bench.block(first, second)
    for _ in range(3):
        bench.block()
    assert {row["group"] for row in bench.rows(incidents)} == {
        f"contracts:{first}",
        f"contracts:{second}",
    }
    assert {row["parameters"]["contract"] for row in bench.rows(runs)} == {first, second}
    pauses = [row for row in bench.rows(run_steps) if row["step"] == "pause"]
    assert [(row["state"], row["people"]) for row in pauses] == [("done", 0)] * 2
    assert bench.paused() == [True, True]


def test_a_burst_of_alerts_on_one_vault_is_one_incident_with_one_run(bench: Bench) -> None:
    for _ in range(4):
        bench.block(bench.vaults[0])
    families = {row["family"] for row in bench.rows(alerts)}
    assert len(families) == 3, families
    (incident,) = bench.rows(incidents)
    (run,) = bench.rows(runs)
    assert run["incident"] == incident["id"]
    assert bench.paused() == [True, False]
