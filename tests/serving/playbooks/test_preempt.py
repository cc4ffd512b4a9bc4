"""Theft that waits to be mined: the pause overtakes it, and honest people are left alone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.simulate.chain.attacks import Drain
from pipeline.simulate.chain.ledger import ETHER
from pipeline.sources.chain_rpc import Rpc
from serving.alerts.engine import AlertEngine
from serving.alerts.ledger import Ledger
from serving.alerts.routes import DEFAULT_ROUTES
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import Playbook
from serving.playbooks.preempt import Preempt, threats
from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.store.tables import alerts, incidents, run_steps
from tests.pipeline.simulate.chain.nodes import node, running_anvil, world
from tests.serving.playbooks.actions.acting import NOON, Bench

BOOK = Playbook.model_validate(
    {
        "playbook": "contract_compromise",
        "title": "Compromise",
        "about": "pause",
        "severity": "critical",
        "phases": [
            {
                "title": "Now",
                "at": "T+0",
                "steps": [
                    {
                        "id": "pause",
                        "title": "Pause",
                        "kind": "automatic",
                        "action": "chain.pause",
                        "with": {"contract": "{entity}"},
                    }
                ],
            }
        ],
    }
)


def begin(
    connection: sa.Connection, incident: Mapping[str, Any], alert: Mapping[str, Any], now: datetime
) -> None:
    start(connection, BOOK, incident, alert, now=now)


@pytest.fixture(params=["in process", "anvil"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        on: Any = node() if request.param == "in process" else None
        made = Bench(tmp_path, world(on or stack.enter_context(running_anvil())))
        stack.callback(made.engine.dispose)
        yield made


def preempt(bench: Bench, starts: Any = begin) -> Preempt:
    assert bench.living is not None
    rpc = Rpc([bench.living.ledger.node])
    vaults = {name: bench.chain.contracts[name] for name in ("vault", "unsafe_vault")}

    def ledger(connection: sa.Connection, now: datetime) -> Ledger:
        return Ledger(connection, DEFAULT_ROUTES, (), starts, AlertEngine.group, now=now)

    return Preempt(bench.engine, rpc, bench.chain, vaults, ledger)


def rows(bench: Bench, table: sa.Table) -> list[Any]:
    with bench.engine.connect() as connection:
        return list(connection.execute(sa.select(table)).all())


def test_a_pause_is_mined_before_the_theft_and_nothing_is_lost(bench: Bench) -> None:
    assert bench.living is not None
    ledger, vault = bench.living.ledger, bench.living.contracts["unsafe_vault"]
    drain = Drain(bench.living)
    drain.fund()
    drain.prepare()
    before = ledger.balance(vault.address)
    attack = drain.send(0.3, tip=30 * 10**9)
    watcher = preempt(bench)
    found = watcher.tick(now=NOON)
    assert [(t.transaction, t.contract, t.owned) for t in found] == [(attack, vault.address, 0)]
    assert found[0].takes == pytest.approx(0.3 * before, rel=1e-9)
    runner = Runner(bench.engine, ACTIONS, services=bench.services, who="one")
    runner.tick(now=NOON)
    ledger.mine()
    assert ledger.receipt(attack)["status"] == "0x0"
    assert ledger.receipt(attack)["transactionIndex"] == "0x1"
    assert ledger.balance(vault.address) == before
    (alert,), (incident,), (step,) = (rows(bench, t) for t in (alerts, incidents, run_steps))
    assert (alert.severity, alert.evidence["exact"]) == ("critical", True)
    assert incident.playbook == "contract_compromise"
    assert (step.state, step.effect) == ("acting", "contain")
    assert watcher.tick(now=NOON) == []


def test_honest_withdrawals_and_deposits_are_no_threat(bench: Bench) -> None:
    assert bench.living is not None
    living = bench.living
    saver, of = living.wallet("depositor0"), living.contracts
    living.ledger.send(saver, of["vault"], "deposit", value=ETHER)
    living.ledger.send(saver, of["unsafe_vault"], "withdraw_all")
    living.ledger.send(living.wallet("whale1"), of["vault"], "withdraw", 1_500 * ETHER)
    living.ledger.send(living.wallet("depositor1"), of["vault"], "withdraw", 10**9 * ETHER)
    assert preempt(bench).tick(now=NOON) == []
    assert rows(bench, alerts) == rows(bench, run_steps) == []


def test_a_rescue_of_a_paused_vault_is_no_threat(bench: Bench) -> None:
    assert bench.living is not None
    living, vault = bench.living, bench.living.contracts["vault"]
    bench.do("chain.pause", contract="vault")
    living.ledger.send(living.wallet("admin"), vault, "rescue", living.wallet("admin"), ETHER)
    assert preempt(bench).tick(now=NOON) == []


def test_what_could_not_be_told_is_judged_again(bench: Bench) -> None:
    assert bench.living is not None
    drain = Drain(bench.living)
    drain.fund()
    drain.prepare()
    drain.send(0.3)
    faults = [OSError("the disk is full")]

    def fails_once(*given: Any) -> None:
        if faults:
            raise faults.pop()
        begin(*given)

    watcher = preempt(bench, fails_once)
    with pytest.raises(OSError, match="full"):
        watcher.tick(now=NOON)
    assert rows(bench, alerts) == []
    assert len(watcher.tick(now=NOON)) == len(rows(bench, run_steps)) == 1


def test_what_was_seen_is_not_tried_again(bench: Bench) -> None:
    assert bench.living is not None
    seen: OrderedDict[str, None] = OrderedDict()
    drain = Drain(bench.living)
    drain.fund()
    drain.prepare()
    drain.send(0.3)
    rpc = Rpc([bench.living.ledger.node])
    contracts = [bench.chain.contracts["unsafe_vault"]]
    assert len(threats(rpc, bench.chain, contracts, seen)) == 1
    asked = rpc.counts["asked"]
    assert threats(rpc, bench.chain, contracts, seen) == []
    assert rpc.counts["asked"] == asked + 1
