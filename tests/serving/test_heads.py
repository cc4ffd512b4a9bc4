"""A block is judged when it comes, and what it told is taken back when it goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from features.contracts import ADDRESS_12S
from features.extract import extract
from pipeline.database import open_engine
from pipeline.scoring.scorer import SCORES
from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain
from pipeline.sources.chain_ring import DeepReorganisationError
from pipeline.sources.chain_rpc import Rpc
from pipeline.stream.follow import _unscored
from serving.alerts.engine import AlertEngine
from serving.alerts.ledger import Ledger
from serving.alerts.routes import DEFAULT_ROUTES
from serving.heads import Heads
from serving.playbooks.definition import LIBRARY, load_library
from serving.playbooks.start import start
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator
from serving.rules.load import PACKS, load_packs
from serving.store.tables import METADATA, alert_notes, alerts, incidents, memory, runs
from tests.pipeline.simulate.chain.nodes import world

SECOND = timedelta(seconds=1)
RULES = load_packs([PACKS / "contracts.yaml"])
PLAYBOOKS = load_library([LIBRARY])


def begin(
    connection: sa.Connection, incident: Mapping[str, Any], alert: Mapping[str, Any], now: datetime
) -> None:
    start(connection, PLAYBOOKS[alert["playbook"]], incident, alert, now=now)


class Bench:
    """A world, a house, and whoever looks at the newest blocks."""

    def __init__(self, folder: Path, living: World, drain: attacks.Drain) -> None:
        self.world, self.drain = living, drain
        self.engine = open_engine(f"sqlite:///{folder / 'store.db'}")
        METADATA.create_all(self.engine)
        self.heads = self.fresh()
        self.look()

    @property
    def now(self) -> datetime:
        return self.world.ledger.now + SECOND

    def fresh(self, confirmations: int = 6) -> Heads:
        on: Any = self.world.ledger.node
        watched = self.world.watched
        chain = Chain(Rpc([on]), watched=watched, confirmations=confirmations)
        return Heads("main", chain, RULES, self.engine, self.ledger)

    def ledger(self, connection: sa.Connection, now: datetime) -> Ledger:
        return Ledger(connection, DEFAULT_ROUTES, (), begin, AlertEngine.group, now=now)

    def look(self) -> list[str]:
        return [verdict.family for verdict in self.heads.tick(now=self.now)]

    def reorganise(self, depth: int) -> None:
        """Empty blocks take the place of the newest; who sent something may send it again."""
        self.world.ledger.request("anvil_reorg", depth, [])
        count_again(self.world)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(sa.select(table)).all())

    def alert(self, family: str) -> Any:
        (found,) = [row for row in self.rows(alerts) if row.family == family]
        return found

    def told(self) -> list[Any]:
        return [row for row in self.rows(memory) if row.part == "heads"]


def count_again(living: World) -> None:
    """Let every wallet know how many transactions of it the chain has."""
    for wallet in (*living.wallets.values(), living.ledger.faucet):
        count = living.ledger.request("eth_getTransactionCount", wallet.address, "latest")
        wallet.nonce = int(count, 16)


@pytest.fixture(scope="module")
def prepared() -> tuple[World, attacks.Drain]:
    living = world()
    living.act(2)
    drain = attacks.Drain(living)
    drain.fund()
    drain.prepare()
    return living, drain


@pytest.fixture
def bench(tmp_path: Path, prepared: tuple[World, attacks.Drain]) -> Iterator[Bench]:
    living, _ = prepared
    node: Any = living.ledger.node
    newest, time = node._at("latest").hash, living.ledger.time
    made = Bench(tmp_path, *prepared)
    yield made
    made.heads.close()
    made.engine.dispose()
    node._backend.revert_to_snapshot(newest)
    node._pool, living.ledger.time = [], time
    count_again(living)


def test_a_drain_opens_an_alert_and_a_run_within_its_block(bench: Bench) -> None:
    move = bench.drain.strike()
    assert "contract.reserves" in bench.look()
    alert = bench.alert("contract.reserves")
    assert (alert.severity, alert.state) == ("critical", "firing")
    assert alert.start <= move.start < alert.opened_at
    assert alert.evidence["exact"]
    assert alert.evidence["window"]["reserves_minus_liabilities"] < 0
    newest = bench.world.ledger.request("eth_getBlockByNumber", "latest", False)
    assert alert.evidence["block"]["hash"] == newest["hash"]
    (run,) = bench.rows(runs)
    assert (run.playbook, run.exact) == ("contract_compromise", True)
    assert bench.look() == []


@pytest.mark.parametrize(
    ("move", "family"),
    [
        (attacks.AdminTheft.grant, "contract.role"),
        (attacks.AdminTheft.upgrade, "contract.upgrade"),
        (attacks.AdminTheft.mint, "contract.mint"),
    ],
)
def test_a_privileged_change_is_told_at_once(bench: Bench, move: Any, family: str) -> None:
    theft = attacks.AdminTheft(bench.world)
    theft.grant()
    bench.look()
    move(theft)
    assert family in bench.look()


def test_a_pause_is_told_and_wakes_nobody(bench: Bench) -> None:
    vault = bench.world.contracts["vault"]
    bench.world.ledger.send(bench.world.wallet("guardian"), vault, "pause")
    bench.world.ledger.mine()
    assert bench.look() == ["contract.pause"]
    assert bench.alert("contract.pause").severity == "info"


def test_normal_life_and_honest_twins_start_nothing(bench: Bench) -> None:
    bench.world.act(5)
    assert bench.look() == []
    attacks.whale_withdrawal(bench.world)
    attacks.arbitrage(bench.world)
    bench.look()
    assert {row.severity for row in bench.rows(alerts)} <= {"medium"}
    assert bench.rows(runs) == []


def test_a_block_that_leaves_the_chain_takes_its_alert_with_it(bench: Bench) -> None:
    bench.drain.strike()
    bench.look()
    first = bench.alert("contract.reserves")
    bench.reorganise(1)
    assert bench.look() == []
    assert bench.alert("contract.reserves").state == "resolved"
    said = [row.detail.get("by", "") for row in bench.rows(alert_notes) if row.what == "resolved"]
    assert said
    assert all("left the chain" in by for by in said)
    assert bench.told() == []
    # Mined after all, it is the same alert again.
    bench.drain.strike()
    bench.look()
    again = bench.alert("contract.reserves")
    assert (again.id, again.state) == (first.id, "firing")
    assert len(bench.rows(incidents)) == len(bench.rows(runs)) == 1


def test_what_another_block_shows_too_stays(bench: Bench) -> None:
    bench.drain.strike()
    saver, vault = bench.world.wallet("depositor0"), bench.world.contracts["unsafe_vault"]
    bench.world.ledger.send(saver, vault, "deposit", value=ETHER)
    bench.world.ledger.mine()
    bench.look()
    bench.reorganise(1)
    bench.look()
    assert bench.alert("contract.reserves").state == "firing"
    bench.reorganise(2)
    bench.look()
    assert bench.alert("contract.reserves").state == "resolved"


@pytest.mark.parametrize("blocks", [0, 3])
def test_what_leaves_while_nobody_looks_is_taken_back_too(bench: Bench, blocks: int) -> None:
    bench.drain.strike()
    bench.look()
    bench.heads.close()
    bench.reorganise(1)
    for _ in range(blocks):
        bench.world.ledger.mine()
    bench.heads = bench.fresh()
    bench.look()
    assert bench.alert("contract.reserves").state == "resolved"


def test_a_restart_tells_the_same_alert_and_forgets_nothing(bench: Bench) -> None:
    bench.drain.strike()
    bench.look()
    before = bench.alert("contract.reserves")
    bench.heads.close()
    bench.heads = bench.fresh()
    bench.look()
    assert bench.alert("contract.reserves").id == before.id
    bench.reorganise(1)
    bench.look()
    assert bench.alert("contract.reserves").state == "resolved"


def test_an_alert_of_blocks_that_are_deep_is_not_taken_back(bench: Bench) -> None:
    bench.drain.strike()
    bench.look()
    for _ in range(7):
        bench.world.ledger.mine()
        bench.look()
    assert bench.told() == []
    saver, vault = bench.world.wallet("depositor0"), bench.world.contracts["unsafe_vault"]
    bench.world.ledger.send(saver, vault, "deposit", value=ETHER)
    bench.world.ledger.mine()
    assert "contract.reserves" in bench.look()
    bench.reorganise(1)
    bench.look()
    assert bench.alert("contract.reserves").state == "firing"


def test_a_change_deeper_than_can_be_followed_begins_anew(bench: Bench) -> None:
    bench.drain.strike()
    bench.heads = bench.fresh(confirmations=2)
    bench.look()
    bench.reorganise(4)
    bench.world.ledger.mine()
    with pytest.raises(DeepReorganisationError):
        bench.look()
    bench.look()
    assert bench.alert("contract.reserves").state == "resolved"


def test_what_could_not_be_written_is_judged_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.drain.strike()

    def full(*given: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "write", full)
        with pytest.raises(OSError, match="full"):
            bench.look()
    assert bench.rows(alerts) == bench.told() == []
    assert "contract.reserves" in bench.look()


def test_the_stream_feeds_the_same_alert_when_it_comes_there(bench: Bench) -> None:
    bench.drain.strike()
    bench.look()
    before = bench.alert("contract.reserves")
    heads = [head for head in bench.fresh(12)._chain.heads() if head.kind == "apply"]
    engine = AlertEngine(RuleBook(RULES), Correlator(RULES), start=begin)
    for head in heads:
        windows = extract(ADDRESS_12S, head.transactions)
        if len(windows):
            with bench.engine.begin() as connection:
                scores = _unscored(windows)
                assert set(scores.columns) >= SCORES.keys() - {"expected"}
                engine.take(connection, ADDRESS_12S, windows, scores, [], now=bench.now)
    after = bench.alert("contract.reserves")
    assert (after.id, after.state) == (before.id, "firing")
    assert after.windows == before.windows + 1
    assert len(bench.rows(runs)) == 1
