"""S1 on a chain: an unsafe vault is drained until somebody pauses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from features.silence import batch_windows
from serving.alerts.ledger import Ledger
from serving.playbooks.preempt import Preempt
from serving.playbooks.simulated import SimulatedPlatform

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.simulate.chain.world import World

__all__ = ["ChainScene", "Ledgers", "chain_services"]

Ledgers = Callable[[sa.Connection, datetime], Ledger]
"""Makes a ledger that starts the playbook which an alert asks for."""

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BLOCK = timedelta(seconds=12)
BLOCK_VIEW = "transactions.address_12s"
CALM = 3
"""Blocks of normal life before the first attack."""


class ChainScene:
    """S1: an unsafe vault is drained, again and again, every other block.

    Parameters
    ----------
    folder : Path
        For keystores and evidence.
    seed : int
    anvil : bool
        On anvil, where what waits is watched; in this process it is not.

    Raises
    ------
    OSError
        There is no anvil here.
    """

    step = BLOCK
    ends: datetime | None = None
    unit = "ether"

    def __init__(self, folder: Path, seed: int, *, anvil: bool = False) -> None:
        from pipeline.simulate.chain.attacks import Drain
        from pipeline.simulate.chain.world import World
        from pipeline.sources.chain import Chain as Follower
        from pipeline.sources.chain_rpc import Rpc

        self.onset: datetime | None = None
        self._stack = ExitStack()
        self._watched = anvil
        node = _node(self._stack, anvil)
        self.world = World(node, seed=seed, start=START)
        self.world.deploy()
        self.vault = self.world.contracts["unsafe_vault"]
        self._drain = Drain(self.world)
        self._drain.fund()
        self._drain.prepare()
        self.world.act(5)
        self.services = chain_services(self.world, folder)
        newest = int(self.world.ledger.request("eth_blockNumber"), 16)
        watched = self.world.watched
        self._follower = Follower(Rpc([node]), watched=watched, start=newest, confirmations=0)
        self._follower.heads()
        self._calm, self._lost, self._paused, self._sent = CALM, 0.0, False, False

    @property
    def now(self) -> datetime:
        """Time of the newest block."""
        return self.world.ledger.now

    def live(self) -> dict[str, pl.DataFrame]:
        """One block of normal life; then the attacker sends, for the next, while it may pay."""
        ledger = self.world.ledger
        if self._paused:
            ledger.mine()
        else:
            self.world.act(1)
        if self._sent:
            self.onset = self.onset or self.now
        held = ledger.balance(self.vault.address)
        self._lost = max(ledger.ask(self.vault, "liabilities") - held, 0) / 1e18
        self._paused = bool(ledger.ask(self.vault, "paused"))
        self._calm -= 1
        if not self._paused and self._calm < 0 and self._calm % 2:
            self._drain.send()
            self._sent = True
        heads = [head for head in self._follower.heads() if head.kind == "apply"]
        events = pl.concat([head.transactions for head in heads])
        return {BLOCK_VIEW: batch_windows(VIEWS[BLOCK_VIEW], events)} if len(events) else {}

    def contained(self) -> bool:
        """Whether the vault is paused."""
        return self._paused

    def lost(self) -> float:
        """What the vault owes and does not have."""
        return self._lost

    def told(self, step: str) -> None:
        """By the plan of recovery the treasury pays in what is missing.

        The vault takes no plain payment: a contract that ends at once leaves its ether there.
        """
        if step == "plan" and self._lost:
            ledger = self.world.ledger
            missing = ledger.ask(self.vault, "liabilities") - ledger.balance(self.vault.address)
            code = f"0x73{self.vault.address.removeprefix('0x')}ff"
            ledger.send(self.world.wallet("admin"), None, data=code, value=missing)

    def answer(self, step: str, name: str) -> str:
        """What is written down here, nothing goes by."""
        return "drilled"

    def preempt(self, engine: sa.Engine, ledger: Ledgers) -> Preempt | None:
        """Who tries what waits, on a node that shows it."""
        from pipeline.sources.chain_rpc import Rpc

        if not self._watched:
            return None
        vaults = {"unsafe_vault": self.vault.address}
        node: Any = self.world.ledger.node
        return Preempt(engine, Rpc([node]), self.services["chain"], vaults, ledger)

    def close(self) -> None:
        """End the node."""
        self._stack.close()


def _node(stack: ExitStack, anvil: bool) -> Any:
    if not anvil:
        from pipeline.simulate.chain.node import EthTesterNode

        return EthTesterNode(round(START.timestamp()))
    from pipeline.simulate.chain.anvil import find, run

    program = find()
    if program is None:
        raise OSError("anvil is not here; expected it on the path, or its path in ANVIL")
    return stack.enter_context(run(program, round(START.timestamp())))


def chain_services(world: World, folder: Path) -> dict[str, Any]:
    """A chain, its signers with keys of the made-up world, and a platform."""
    from eth_account import Account

    from pipeline.sources.chain_rpc import Rpc
    from serving.playbooks.actions.chain import Chain
    from serving.playbooks.actions.signer import POWERS, Signer

    # The world's operator lives on with a count of transactions of its own.
    responder = world.wallet("responder", 100)
    for name in ("vault", "unsafe_vault"):
        given = (world.role("operator"), responder.address)
        world.ledger.send(world.wallet("admin"), world.contracts[name], "grant_role", *given)
    world.ledger.mine()
    folder.mkdir(parents=True, exist_ok=True)
    passphrase = folder / "passphrase"
    passphrase.write_text("drill", encoding="utf-8")
    signers = {}
    for name, may in POWERS.items():
        # One round: nothing is to be kept from anybody.
        wallet = responder if name == "operator" else world.wallet(name)
        made = Account.encrypt(wallet.key, "drill", kdf="pbkdf2", iterations=1)
        (folder / f"{name}.json").write_text(json.dumps(made), encoding="utf-8")
        signers[name] = Signer(folder / f"{name}.json", f"file:{passphrase}", may)
    book = {name: contract.address for name, contract in world.contracts.items()}
    book["safe"] = world.wallet("safe").address
    chain = Chain(Rpc([_Settled(world.ledger.node)]), signers, book, patience=0.0)
    return {"chain": chain, "platform": SimulatedPlatform().client()}


class _Settled:
    """A node in this process, on which every block is final: nobody else mines."""

    def __init__(self, node: Any) -> None:
        self._node = node

    def make_request(self, method: Any, params: Any) -> Any:
        given = ["latest" if one == "finalized" else one for one in params]
        return self._node.make_request(method, given)

    def make_batch_request(self, requests: Any) -> Any:
        return [self.make_request(method, params) for method, params in requests]
