"""A chain, a platform and a store for actions to act on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from eth_account import Account

from pipeline.database import open_engine
from pipeline.simulate.chain.ledger import Wallet
from pipeline.simulate.chain.world import World
from pipeline.sources.chain_rpc import Rpc
from serving.playbooks.action import Action, ActionError, Context, Outcome
from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.actions.chain import Chain
from serving.playbooks.actions.signer import POWERS, Signer
from serving.playbooks.simulated import SimulatedPlatform
from serving.store.tables import METADATA
from tests.pipeline.simulate.chain.nodes import world

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSPHRASE = "correct horse battery"


def keystore(folder: Path, wallet: Wallet) -> Path:
    """The wallet's key, encrypted; few rounds, as nothing is to be kept from anybody."""
    file = folder / f"{wallet.name}.json"
    if not file.exists():
        # PBKDF2 with one round: scrypt takes a second even at its least.
        made = Account.encrypt(wallet.key, PASSPHRASE, kdf="pbkdf2", iterations=1)
        file.write_text(json.dumps(made), encoding="utf-8")
        (folder / "passphrase").write_text(PASSPHRASE, encoding="utf-8")
    return file


def signers(folder: Path, living: World) -> dict[str, Signer]:
    """The usual signers of a world."""
    where = f"file:{folder / 'passphrase'}"
    return {
        name: Signer(keystore(folder, living.wallet(name)), where, may)
        for name, may in POWERS.items()
    }


def chain_for(living: World, folder: Path, *endpoints: Any, patience: float = 0.0) -> Chain:
    """The chain service on a world's node."""
    book = {name: contract.address for name, contract in living.contracts.items()}
    rpc = Rpc([*endpoints, living.ledger.node])
    return Chain(rpc, signers(folder, living), book, patience=patience)


@dataclass
class Bench:
    """Services, a clock, and one step of one run after another."""

    folder: Path
    living: World | None = None
    platform: SimulatedPlatform = field(default_factory=SimulatedPlatform)
    services: dict[str, Any] = field(default_factory=dict)
    now: datetime = NOON
    steps: int = 0

    def __post_init__(self) -> None:
        self.engine: sa.Engine = open_engine(f"sqlite:///{self.folder / 'store.db'}")
        METADATA.create_all(self.engine)
        self.services |= {"platform": self.platform.client(), "evidence": self.folder / "evidence"}
        if self.living is not None:
            self.services["chain"] = chain_for(self.living, self.folder)

    @property
    def chain(self) -> Chain:
        """The chain service."""
        found: Chain = self.services["chain"]
        return found

    def context(self, step: str | None = None) -> Context:
        """Of a step of its own, or of one that has a name."""
        if step is None:
            self.steps += 1
            step = f"step{self.steps}"
        return Context("run", step, "incident", self.engine, self.now, self.services)

    def mine(self, blocks: int = 1) -> None:
        """Mine what waits."""
        assert self.living is not None
        for _ in range(blocks):
            self.living.ledger.mine()

    def do(self, name: str, /, **parameters: Any) -> Outcome:
        """Prepare, keep the intent as JSON, perform as the runner does, and verify."""
        action, context = ACTIONS[name], self.context()
        intent = stored(action.prepare(context, parameters))
        try:
            outcome = action.perform(context, intent)
        except ActionError:
            if self.living is None:
                raise
            self.mine()
            outcome = action.perform(context, intent)
        assert action.effect == "observe" or action.verify(context, intent)
        return outcome


def stored(intent: dict[str, Any]) -> dict[str, Any]:
    """What the store gives back."""
    found: dict[str, Any] = json.loads(json.dumps(intent))
    return found


def action(name: str) -> Action:
    """An action of the catalogue."""
    return ACTIONS[name]


__all__ = [
    "NOON",
    "PASSPHRASE",
    "Bench",
    "action",
    "chain_for",
    "keystore",
    "signers",
    "stored",
    "world",
]
