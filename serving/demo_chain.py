"""The demonstration's chain: it lives in this process, is followed like any other, and is acted on.

Its blocks are a minute apart, so that hours of it are made up in seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from features.calls import CALLS
from features.transactions import TRANSACTIONS

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.simulate.chain.world import World
    from pipeline.sources.source import Position

__all__ = ["DemoChain"]

BLOCK = timedelta(minutes=1)
DEPLOYMENT = 20 * BLOCK
"""Blocks before the platform begins: contracts are deployed in them."""
TIMELOCK = timedelta(minutes=30)
"""Of the vaults, instead of two days."""
VAULTS = ("vault", "unsafe_vault")


class DemoChain:
    """A chain, its newest events, and what acts on it.

    Parameters
    ----------
    seed : int
    start : datetime
        Where the platform begins.
    folder : Path
        For the keys that playbooks act with.

    Attributes
    ----------
    world : World
    services : dict
        What playbooks act with, see `serving.playbooks.scene_chain.chain_services`.
    """

    def __init__(self, seed: int, start: datetime, folder: Path) -> None:
        from pipeline.simulate.chain.node import EthTesterNode
        from pipeline.simulate.chain.world import World
        from pipeline.sources.chain import Chain, ChainSource
        from pipeline.sources.chain_rpc import Rpc
        from serving.playbooks.scene_chain import chain_services

        genesis = start - DEPLOYMENT
        node = EthTesterNode(round(genesis.timestamp()))
        self.world: World = World(node, seed=seed, start=genesis, every=BLOCK, timelock=TIMELOCK)
        self.world.deploy()
        self.services: dict[str, Any] = chain_services(self.world, folder)
        self.settle()
        # Nobody reorganises it: its newest block is as good as any.
        chain = Chain(Rpc([node]), watched=self.world.watched, confirmations=0)
        self._sources = [ChainSource(chain, stream) for stream in (TRANSACTIONS, CALLS)]
        self._positions: list[Position | None] = [None for _ in self._sources]

    @staticmethod
    def possible() -> bool:
        """Whether its libraries are there: they come with ``tocsin[demo]``."""
        return find_spec("eth_tester") is not None

    def events(self) -> dict[str, pl.DataFrame]:
        """Rows of the blocks since the last call, by stream."""
        found: dict[str, pl.DataFrame] = {}
        for i, source in enumerate(self._sources):
            parts = []
            while (batch := source.read(self._positions[i])) is not None:
                self._positions[i] = batch.position
                parts.append(batch.events)
            if parts:
                found[source.stream.name] = pl.concat(parts)
        return found

    def settle(self) -> None:
        """Mine what playbooks have sent; those whose keys they used count on from there."""
        ledger = self.world.ledger
        if not ledger.request("eth_getBlockByNumber", "pending", False)["transactions"]:
            return
        ledger.mine()
        for wallet in self.world.wallets.values():
            count = ledger.request("eth_getTransactionCount", wallet.address, "latest")
            wallet.nonce = int(count, 16)

    def resume(self) -> None:
        """Let people take back what was paused, as they do when the danger is over."""
        world = self.world
        for vault in (world.contracts[name] for name in VAULTS):
            if world.ledger.ask(vault, "paused"):
                world.ledger.send(world.wallets["admin"], vault, "unpause")
        self.settle()
