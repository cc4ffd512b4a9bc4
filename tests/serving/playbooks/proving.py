"""Runs whose processes are killed with -9 at random instants, and what must be true of them."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from threading import Event, Thread
from typing import Any

import sqlalchemy as sa
from web3 import Web3

from pipeline.database import open_engine
from pipeline.simulate.chain.anvil import Anvil
from pipeline.simulate.chain.ledger import ETHER, Contract
from pipeline.simulate.chain.world import World
from pipeline.sources.chain_rpc import Rpc
from serving.playbooks.actions.admin import client
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.actions.chain import Chain
from serving.playbooks.actions.signer import POWERS, Signer
from serving.playbooks.definition import Playbook
from serving.playbooks.people import approve, sign_off
from serving.playbooks.runner import Runner
from serving.playbooks.simulated import SimulatedPlatform
from serving.playbooks.start import start
from serving.store.keys import Principal, Role
from serving.store.tables import METADATA, run_steps, runs
from tests.serving.playbooks.actions.acting import keystore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEED = 60.0
"""A second here is a minute there, and a lease is over within a second."""
ANN, BOB = Principal("ann", Role.ADMIN), Principal("bob", Role.ADMIN)
OUTSIDER = "0x00000000000000000000000000000000000000aa"


@dataclass(frozen=True)
class Life:
    """All that a process that runs playbooks is given."""

    store: str
    platform: str
    began: float
    who: str
    node: str = ""
    keys: Path = Path()
    contracts: dict[str, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time of the runs, the same in every process."""
        return NOON + timedelta(seconds=(time.time() - self.began) * SPEED)


def live(life: Life) -> None:
    """Run playbooks until every run is over, or until killed."""
    engine = open_engine(life.store)
    services: dict[str, Any] = {
        "platform": client(life.platform, "drill"),
        "evidence": life.keys / "evidence",
    }
    if life.node:
        where = f"file:{life.keys / 'passphrase'}"
        signers = {n: Signer(life.keys / f"{n}.json", where, may) for n, may in POWERS.items()}
        services["chain"] = Chain(Rpc([life.node]), signers, life.contracts, patience=0.1)
    runner = Runner(engine, ACTIONS, services=services, who=life.who)
    running = sa.select(runs.c.id).where(runs.c.state == "running")
    while True:
        runner.tick(now=life.now)
        with engine.connect() as connection:
            if connection.execute(running.limit(1)).first() is None:
                return
        time.sleep(0.01)


def book(number: int, *, on_chain: bool) -> Playbook:
    """Everything a run can do, on contract ``vault<number>`` and what has its name."""
    vault = {"contract": f"vault{number}"}

    def step(id: str, action: str, kind: str = "automatic", /, **given: Any) -> dict[str, Any]:
        people = {"people": given.pop("people", 1)}
        parts = {"id": id, "title": id, "kind": kind, "action": action, "with": given}
        return {**parts, **people, "timeout": "2h"}

    chain = [
        step("pause", "chain.pause", **vault),
        step("block", "chain.block_address", **vault, address=OUTSIDER),
        step("limit", "chain.set_limits", **vault, limit=str(ETHER)),
        step("keep", "evidence.transactions", **vault),
        step("unpause", "chain.unpause", "approval", people=2, **vault),
    ]
    name = f"v{number}"
    look = {"id": "look", "title": "look", "kind": "manual", "guide": "Look.", "evidence": ["seen"]}
    phases = [
        {
            "title": "Now",
            "at": "T+0",
            "steps": [
                *chain[: 1 * on_chain],
                step("gate", "platform.gate_trading", scope="symbol", name=name),
            ],
        },
        {
            "title": "Then",
            "at": "T+1m",
            "steps": [
                *chain[1 : 1 + 3 * on_chain],
                step("freeze", "account.freeze", account=name),
                step("tell", "tell.audience", audience="team", subject=name, text="It goes on."),
                {**look, "timeout": "2h"},
            ],
        },
        {
            "title": "Recovery",
            "recovery": True,
            "steps": [
                *chain[4 : 4 + on_chain],
                step("open", "platform.open_trading", "approval", scope="symbol", name=name),
            ],
        },
    ]
    parts = {"playbook": f"proof_{number}", "title": name, "about": "a proof", "phases": phases}
    return Playbook.model_validate({**parts, "severity": "critical"})


class Proof:
    """Runs, the world they act on, and processes that come and go."""

    def __init__(
        self,
        folder: Path,
        store: str,
        platform: SimulatedPlatform,
        url: str,
        world: World | None,
        most: int,
    ) -> None:
        self.engine = open_engine(store)
        METADATA.create_all(self.engine)
        self.platform, self.world, self.started, self._most = platform, world, 0, most
        self.vaults: list[Contract] = []
        self.nonces: dict[str, int] = {}
        node = world.ledger.node if world else None
        self._life = Life(
            store,
            url,
            time.time(),
            "",
            node.url if isinstance(node, Anvil) else "",
            folder,
            self._deploy(folder, world) if world else {},
        )
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.serving.playbooks.proving"])
        self._born = 0

    def _deploy(self, folder: Path, world: World) -> dict[str, str]:
        """One vault for each run, on a chain of which nothing else is asked."""
        ledger, admin = world.ledger, world.wallet("admin", 100_000)
        holders = {role: world.wallet(role, 1_000) for role in ("guardian", "operator")}
        ledger.mine()
        self.vaults = [
            ledger.deploy(admin, "Vault", admin, 100 * ETHER, 0) for _ in range(self._most)
        ]
        for vault in self.vaults:
            for role, holder in holders.items():
                ledger.send(admin, vault, "grant_role", world.role(role), holder.address)
        ledger.mine()
        for name in POWERS:
            keystore(folder, world.wallet(name))
            self.nonces[name] = self._nonce(name)
        return {f"vault{i}": vault.address for i, vault in enumerate(self.vaults)}

    def begin(self) -> None:
        """Start one more run."""
        number, now = self.started, self._life.now
        playbook = book(number, on_chain=self.world is not None)
        alert = {"entity": "e", "severity": "critical", "title": "t", "why": "w", "labels": {}}
        with self.engine.begin() as connection:
            incident = {"id": f"incident{number}"}
            start(connection, playbook, incident, {**alert, "evidence": {"exact": True}}, now=now)
        self.started += 1

    def spawn(self) -> ForkServerProcess:
        """One more process that runs playbooks."""
        self._born += 1
        life = Life(**{**self._life.__dict__, "who": f"process{self._born}"})
        process = self._context.Process(target=live, args=(life,))
        process.start()
        return process

    def decide(self) -> None:
        """What people do: two approve, one at a time, and one signs off."""
        waiting = sa.select(run_steps).where(run_steps.c.state.in_(["approval", "manual"]))
        with self.engine.connect() as connection:
            found = [dict(row) for row in connection.execute(waiting).mappings()]
        for row in found:
            run, step, now = row["run"], row["step"], self._life.now
            with self.engine.begin() as connection:
                if row["state"] == "manual":
                    sign_off(connection, run, step, BOB, {"seen": "all of it"}, now=now)
                else:
                    who = BOB if row["approvals"] else ANN
                    approve(connection, run, step, who, now=now)

    def over(self) -> bool:
        """Whether no run is left running."""
        running = sa.select(runs.c.id).where(runs.c.state == "running").limit(1)
        with self.engine.connect() as connection:
            return connection.execute(running).first() is None

    def kill(self, times: int, *, seed: int, seconds: float) -> int:
        """Run all runs with two processes at once, killing one at random so many times.

        Returns
        -------
        int
            Processes killed in the middle of their work.
        """
        chance, killed = random.Random(seed), 0
        living = [self.spawn(), self.spawn()]
        try:
            while killed < times or not self.over():
                if killed < times and self._unfinished() < 2 and self.started < self._most:
                    self.begin()
                victim = chance.randrange(2)
                living[victim].join(chance.uniform(0.0, seconds))
                self.decide()
                if killed < times and living[victim].exitcode is None:
                    living[victim].kill()
                    living[victim].join()
                    killed += not self.over()
                for place, process in enumerate(living):
                    if process.exitcode not in (None, 0, -9):
                        raise AssertionError(f"a process ended with {process.exitcode}")
                    if process.exitcode is not None and not self.over():
                        living[place] = self.spawn()
        finally:
            for process in living:
                process.kill()
                process.join()
        return killed

    def _unfinished(self) -> int:
        counted = sa.select(sa.func.count()).where(runs.c.state == "running")
        with self.engine.connect() as connection:
            return int(connection.execute(counted.select_from(runs)).scalar_one())

    def _nonce(self, name: str) -> int:
        assert self.world is not None
        address = self.world.wallet(name).address
        return int(self.world.ledger.request("eth_getTransactionCount", address, "latest"), 16)

    def sent(self) -> dict[str, int]:
        """How many transactions each signer's key has mined since the runs began."""
        return {name: self._nonce(name) - before for name, before in self.nonces.items()}

    def events(self, vault: Contract) -> Counter[str]:
        """How often a vault said what."""
        assert self.world is not None
        names = ("Paused(address)", "Unpaused(address)", "Blocked(address)",
                 "ParameterChanged(bytes32,uint256,uint256)")  # fmt: skip
        topics = {"0x" + Web3.keccak(text=n).hex().removeprefix("0x"): n for n in names}
        asked = {"address": vault.address, "fromBlock": "0x0", "toBlock": "latest"}
        logs = self.world.ledger.request("eth_getLogs", asked)
        return Counter(topics[log["topics"][0]].partition("(")[0]
                       for log in logs if log["topics"][0] in topics)  # fmt: skip


@contextmanager
def mining(world: World | None) -> Iterator[None]:
    """Blocks come by themselves: most at once, some later than a lease and a higher fee."""
    stop, chance = Event(), random.Random(7)

    def mine() -> None:
        assert world is not None
        while not stop.wait(chance.choice((0.03, 0.03, 0.03, 1.5))):
            world.ledger.mine()

    thread = Thread(target=mine, daemon=True)
    if world is not None:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if world is not None:
            thread.join()
