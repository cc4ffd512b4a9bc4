"""A chain as a source: block by block, each the child of the one before.

Two lanes over the same blocks. `ChainSource` gives rows of blocks that are `confirmations` deep:
a reorganisation of up to that many blocks never reaches windows, so that windows are those of a
follower that starts afresh, and nothing is ever taken back. `Chain.heads` gives every new head
at once, and takes it back when the chain does: exact rules look at it at 0 confirmations, and at
nothing that earlier blocks told of accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Literal

import polars as pl

from features.calls import CALLS
from features.stream import Stream
from features.transactions import TRANSACTIONS
from pipeline.sources.chain_blocks import LARGEST, Blocks
from pipeline.sources.chain_events import KNOWN, Interface
from pipeline.sources.chain_past import Past
from pipeline.sources.chain_ring import DeepReorganisationError, Ring, Step
from pipeline.sources.chain_rows import (
    Mined,
    Watched,
    call_rows,
    event_rows,
    transaction_rows,
)
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.source import Batch, Position

__all__ = ["Chain", "ChainSource", "Head"]


@dataclass(frozen=True)
class Head:
    """A block that has joined the chain's end, or has left it, and the rows it makes."""

    kind: Literal["apply", "retract"]
    number: int
    hash: str
    transactions: pl.DataFrame
    calls: pl.DataFrame
    events: pl.DataFrame


class Chain:
    """Blocks of a chain, with receipts, call trees and the state of watched accounts.

    Parameters
    ----------
    rpc : Rpc
        The nodes.
    watched : iterable of Watched, optional
        Rows are made of these; by default of every recipient and every new contract.
    start : int
        Number of the first block; a position of None begins there.
    confirmations : int
        How deep a block lies before windows are made of it; at least as deep as
        reorganisations of the chain go.
    traces : bool
        Whether call trees are asked for. A node that gives none is then a failure: rows that
        depend on which node answered could not be read again.
    known : mapping, optional
        Events that mean something; see `chain_events.interfaces`.
    labels : mapping of str to str
        Of known accounts: ``mixer``, ``bridge`` or ``exchange``.
    past : Path, optional
        File for what is remembered of accounts; by default it is in memory.
    """

    def __init__(
        self,
        rpc: Rpc,
        *,
        watched: Iterable[Watched] | None = None,
        start: int = 0,
        confirmations: int = 6,
        traces: bool = True,
        known: Mapping[tuple[str, int], Interface] = KNOWN,
        labels: Mapping[str, str] = MappingProxyType({}),
        past: Path | None = None,
    ) -> None:
        if confirmations < 0 or start < 0:
            raise ValueError(f"start = {start}, confirmations = {confirmations}; expected >= 0")
        self.start = start
        self.confirmations = confirmations
        self.watched = None if watched is None else {w.address: w for w in watched}
        self.blocks = Blocks(rpc, self.watched, traces=traces, known=known)
        self._past = Past(past, self.watched, labels)
        self._ring: Ring[Mined] = Ring(confirmations + 1)
        self.lock = Lock()

    def heads(self) -> list[Head]:
        """What happened to the chain's end since the last call: retracts, then applies.

        The first call after a start gives the last `confirmations` blocks again; whoever acts
        on them knows each by its hash. A gap of more than 64 blocks takes several calls.

        Raises
        ------
        DeepReorganisationError
            The chain changed deeper than can be followed; the next call begins anew.
        """
        newest, tip = self.blocks.head(), self._ring.tip
        if newest < self.start:
            return []
        first = tip.number + 1 if tip else max(self.start, newest - self.confirmations)
        blocks = self.blocks.read(min(first, newest), min(newest, first + LARGEST - 1))
        ends = blocks[-1:] if tip else blocks
        try:
            steps = [step for end in ends for step in self._ring.follow(end, self.blocks.by_hash)]
        except DeepReorganisationError:
            self._ring = Ring(self.confirmations + 1)
            raise
        return [self._told(step) for step in steps]

    def holds(self, number: int, block: str) -> bool:
        """Whether the block of that number and hash is in the chain now."""
        return number <= self.blocks.head() and self.blocks.read(number, number)[0].hash == block

    def learn(self, mined: Sequence[Mined]) -> bool:
        """Learn from blocks before these what they tell of accounts; False where more are left.

        That is much only where the index of accounts was lost, or never was there.
        """
        at, first = self._past.since(mined, self.start), mined[0].number
        upto = min(at + self.blocks.span, first) - 1
        if at <= upto:
            self._past.learn(self.blocks.read(at, upto))
        return upto >= first - 1

    def transactions(self, mined: Sequence[Mined]) -> pl.DataFrame:
        """Rows of `TRANSACTIONS` of blocks, with what earlier blocks told of their accounts."""
        while not self.learn(mined):
            pass
        self._past.learn(mined)
        return pl.concat(self._past.rows(block) for block in mined)

    def calls(self, mined: Sequence[Mined]) -> pl.DataFrame:
        """Rows of `CALLS` of blocks."""
        return pl.concat(call_rows(block, self.watched) for block in mined)

    def close(self) -> None:
        """Give up connections, files and the blocks in memory."""
        self.blocks.close()
        self._past.close()

    def _told(self, step: Step[Mined]) -> Head:
        mined, watched = step.block, self.watched
        return Head(
            step.kind,
            mined.number,
            mined.hash,
            transaction_rows(mined, watched),
            call_rows(mined, watched),
            event_rows(mined, watched),
        )


class ChainSource:
    """One stream of a chain: `transactions` or `calls` of confirmed blocks.

    Parameters
    ----------
    chain : Chain
        Shared by the streams of one chain, which so fetch each block once.
    stream : Stream
        `features.transactions.TRANSACTIONS` or `features.calls.CALLS`.
    name : str, optional
        Unique in a configuration.
    """

    def __init__(self, chain: Chain, stream: Stream, *, name: str | None = None) -> None:
        if stream.name not in ROWS:
            raise ValueError(f"stream = {stream.name}; expected one of {', '.join(ROWS)}")
        self.name = name or f"chain.{stream.name}"
        self.stream = stream
        self._chain = chain

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """The rows of the next confirmed blocks; see `pipeline.sources.source.Source`.

        Raises
        ------
        DeepReorganisationError
            The block of the position is not in the chain any more.
        SourceError
            No node gives a good answer now.
        """
        # The streams of one chain may be read at once, where one has failed.
        with self._chain.lock:
            return self._read(position, until)

    def _read(self, position: Position | None, until: Position | None) -> Batch | None:
        chain = self._chain
        if position is not None and until == position:
            return Batch(self.stream.empty, position)
        first = chain.start if position is None else position["number"] + 1
        if until is None:
            last = min(chain.blocks.head() - chain.confirmations, first + chain.blocks.span - 1)
            if last < first:
                return None
        else:
            last = until["number"]
        mined = chain.blocks.read(first, last)
        if position is not None and mined[0].parent != position["hash"]:
            raise _undone(position, mined[0].parent, chain.confirmations)
        if until is not None and mined[-1].hash != until["hash"]:
            raise _undone(until, mined[-1].hash, chain.confirmations)
        if position is not None and until is None and not self._learned(mined):
            return Batch(self.stream.empty, position)
        events = ROWS[self.stream.name](chain, mined)
        return Batch(events, {"number": mined[-1].number, "hash": mined[-1].hash})

    def close(self) -> None:
        """Give up connections and the blocks in memory."""
        self._chain.close()

    def _learned(self, mined: Sequence[Mined]) -> bool:
        """Learn a piece at a time what rows need, so that other sources have their turn."""
        return self.stream.name != TRANSACTIONS.name or self._chain.learn(mined)


ROWS = {TRANSACTIONS.name: Chain.transactions, CALLS.name: Chain.calls}


def _undone(position: Position, found: str, confirmations: int) -> DeepReorganisationError:
    return DeepReorganisationError(
        f"block {position['number']} is {found}; expected {position['hash']}: "
        f"a reorganisation of more than {confirmations} blocks"
    )
