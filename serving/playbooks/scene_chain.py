"""S1 on a chain in this process: an unsafe vault is drained until somebody pauses it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from features.catalogue import VIEWS
from features.silence import batch_windows
from serving.playbooks.simulated import SimulatedPlatform

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.simulate.chain.world import World

__all__ = ["ChainScene", "chain_services"]

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
BLOCK = timedelta(seconds=12)
BLOCK_VIEW = "transactions.address_12s"


class ChainScene:
    """S1 on a chain in this process: an unsafe vault is drained, again and again.

    Parameters
    ----------
    folder : Path
        For keystores and evidence.
    seed : int
    """

    step = BLOCK
    unit = "ether"

    def __init__(self, folder: Path, seed: int) -> None:
        from pipeline.simulate.chain.attacks import Drain
        from pipeline.simulate.chain.node import EthTesterNode
        from pipeline.simulate.chain.world import World
        from pipeline.sources.chain import Chain as Follower
        from pipeline.sources.chain_rpc import Rpc

        self.onset: datetime | None = None
        node = EthTesterNode(round(START.timestamp()))
        self.world = World(node, seed=seed, start=START)
        self.world.deploy()
        self.vault = self.world.contracts["unsafe_vault"]
        self._drain = Drain(self.world)
        self._drain.fund()
        self._drain.prepare()
        self.world.act(5)
        watched = self.world.watched
        newest = int(self.world.ledger.request("eth_blockNumber"), 16)
        self._follower = Follower(Rpc([node]), watched=watched, start=newest, confirmations=0)
        self._follower.heads()
        self.services = chain_services(self.world, folder)
        self._calm, self._lost, self._paused = 3, 0.0, False

    @property
    def now(self) -> datetime:
        """Time of the newest block."""
        return self.world.ledger.now

    def live(self) -> dict[str, pl.DataFrame]:
        """One block: normal life, then the attacker every other block, while it pays."""
        ledger = self.world.ledger
        if self._paused:
            ledger.mine()
            return {}
        self._calm -= 1
        if self._calm < 0 and self._calm % 2:
            self._drain.send()
        self.world.act(1)
        held = ledger.balance(self.vault.address)
        self._lost = max(ledger.ask(self.vault, "liabilities") - held, 0) / 1e18
        if self._lost:
            self.onset = self.onset or self.now
        self._paused = bool(ledger.ask(self.vault, "paused"))
        heads = [head for head in self._follower.heads() if head.kind == "apply"]
        events = pl.concat([head.transactions for head in heads])
        return {BLOCK_VIEW: batch_windows(VIEWS[BLOCK_VIEW], events)} if len(events) else {}

    def contained(self) -> bool:
        """Whether the vault was paused."""
        return self._paused

    def lost(self) -> float:
        """What the vault owes and does not have."""
        return self._lost

    def told(self, step: str) -> None:
        """Nothing that people do by hand brings the ether back."""


def chain_services(world: World, folder: Path) -> dict[str, Any]:
    """A chain, its signers with keys of the made-up world, and a platform."""
    from eth_account import Account

    from pipeline.sources.chain_rpc import Rpc
    from serving.playbooks.actions.chain import Chain
    from serving.playbooks.actions.signer import POWERS, Signer

    folder.mkdir(parents=True, exist_ok=True)
    passphrase = folder / "passphrase"
    passphrase.write_text("drill", encoding="utf-8")
    signers = {}
    for name, may in POWERS.items():
        # One round: nothing is to be kept from anybody.
        made = Account.encrypt(world.wallet(name).key, "drill", kdf="pbkdf2", iterations=1)
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
