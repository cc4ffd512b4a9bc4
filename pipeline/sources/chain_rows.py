"""Blocks as rows of the streams `transactions` and `calls`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from features.calls import CALLS
from features.transactions import TRANSACTIONS
from pipeline.sources.chain_decode import Block, Call, Receipt, Transaction
from pipeline.sources.chain_events import PRIVILEGED, Event

__all__ = [
    "EVENTS",
    "MOVES",
    "Mined",
    "State",
    "Watched",
    "call_rows",
    "event_rows",
    "flows",
    "lasting",
    "transaction_rows",
]

EVENTS = {
    "ts": pl.Datetime("us", "UTC"),
    "block": pl.Int64(),
    "block_hash": pl.String(),
    "tx": pl.String(),
    "log": pl.Int64(),
    "sender": pl.String(),
    "address": pl.String(),
    "kind": pl.String(),
    "name": pl.String(),
    "arguments": pl.String(),
}
"""Columns of decoded events; (block_hash, log) names one, so that it can be told from a repeat."""
MOVES = {"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"}
"""Calls that carry ether from one account to another."""


@dataclass(frozen=True)
class Watched:
    """An account that rows are made of, and the questions that its state answers.

    Parameters
    ----------
    address : str
        In lower case.
    ether : bool
        Whether what it keeps is ether: fills `balance` and `reserves`.
    owes : str, optional
        Signature of its function that tells what it owes, such as ``liabilities()``.
    supply : str, optional
        Signature of its function that tells its supply, such as ``totalSupply()``.
    """

    address: str
    ether: bool = False
    owes: str | None = None
    supply: str | None = None


@dataclass(frozen=True)
class State:
    """What watched accounts held, owed and issued, by address; in wei and units of the token."""

    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)
    liabilities: Mapping[str, int] = field(default_factory=dict)
    supply_before: Mapping[str, int] = field(default_factory=dict)
    supply: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Mined:
    """All that is known of a block: what it says, what became of it, what it did."""

    block: Block
    receipts: tuple[Receipt, ...]
    traces: tuple[tuple[Call, ...], ...] | None
    events: tuple[tuple[Event, ...], ...]
    state: State = State()

    @property
    def number(self) -> int:
        """Its place in the chain."""
        return self.block.number

    @property
    def hash(self) -> str:
        """Its name."""
        return self.block.hash

    @property
    def parent(self) -> str:
        """The name of the block before it."""
        return self.block.parent

    def touched(self, index: int) -> list[str]:
        """Accounts that a transaction touches, in order: parties, callees, who wrote events."""
        sent, receipt = self.block.transactions[index], self.receipts[index]
        calls = self.traces[index] if self.traces else ()
        named = [
            sent.to or receipt.created,
            sent.sender,
            *(call.to for call in calls),
            *(log.address for log in receipt.logs),
        ]
        return list(dict.fromkeys(address for address in named if address))

    def about(self, index: int, watched: Mapping[str, Watched] | None) -> list[str]:
        """Of these the watched ones; where none is named, the recipient or what was created."""
        touched = self.touched(index)
        return touched[:1] if watched is None else [a for a in touched if a in watched]


def transaction_rows(mined: Mined, watched: Mapping[str, Watched] | None) -> pl.DataFrame:
    """Rows of `TRANSACTIONS` in the order of the block."""
    rows: list[dict[str, Any]] = []
    held: dict[str, int | None] = dict(mined.state.before)
    last: dict[str, int] = {}
    minted: Counter[str] = Counter()
    for index, sent in enumerate(mined.block.transactions):
        common = _common(mined, sent)
        changed = _flows(mined, index)
        for address in mined.about(index, watched):
            row = common | {"address": address} | _said(mined, index, address)
            minted[address] += sum(
                e.supplied for e in mined.events[index] if e.log.address == address
            )
            if address in held:
                before = held[address]
                after = None if before is None or changed is None else before + changed[address]
                row |= {"balance": before, "reserves": after}
                held[address] = after
            last[address] = len(rows)
            rows.append(row)
    # What was asked at the end of the block is known of its last row about the address alone.
    state = mined.state
    for address, at in last.items():
        row = rows[at]
        row["reserves"] = state.after.get(address)
        row["liabilities"] = state.liabilities.get(address)
        row["supply"] = state.supply.get(address)
        if address in state.supply_before:
            row["balances"] = max(state.supply_before[address] + minted[address], 0)
    return _frame(rows, {c.name: c.type for c in TRANSACTIONS.columns})


def call_rows(mined: Mined, watched: Mapping[str, Watched] | None) -> pl.DataFrame:
    """Rows of `CALLS`: the call trees of transactions that touch a watched account."""
    rows = [
        {
            "ts": mined.block.time,
            "tx": mined.block.transactions[index].hash,
            "idx": idx,
            "depth": call.depth,
            "kind": call.kind,
            "from_address": call.sender,
            "to_address": call.to,
            "value_wei": float(call.value),
            "selector": call.selector,
            "input_length": call.input_length,
        }
        for index, tree in enumerate(mined.traces or ())
        if mined.about(index, watched)
        for idx, call in enumerate(tree)
    ]
    return _frame(rows, {c.name: c.type for c in CALLS.columns})


def event_rows(mined: Mined, watched: Mapping[str, Watched] | None) -> pl.DataFrame:
    """Known events of watched contracts, with the columns of `EVENTS`."""
    rows = [
        {
            "ts": mined.block.time,
            "block": mined.number,
            "block_hash": mined.hash,
            "tx": sent.hash,
            "log": event.log.index,
            "sender": sent.sender,
            "address": event.log.address,
            "kind": event.kind,
            "name": event.name,
            "arguments": " ".join(f"{name}={value}" for name, value in event.arguments.items()),
        }
        for sent, events in zip(mined.block.transactions, mined.events, strict=True)
        for event in events
        if watched is None or event.log.address in watched
    ]
    return _frame(rows, EVENTS)


def _frame(rows: list[dict[str, Any]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in schema}, schema=dict(schema)
    )


def _common(mined: Mined, sent: Transaction) -> dict[str, Any]:
    receipt = mined.receipts[sent.index]
    return {
        "ts": mined.block.time,
        "hash": sent.hash,
        "index": sent.index,
        "block": mined.number,
        "sender": sent.sender,
        "to": sent.to,
        "value_wei": float(sent.value),
        "selector": sent.selector,
        "success": receipt.success,
        "nonce": sent.nonce,
        "gas_limit": float(sent.gas),
        "gas_used": float(receipt.gas_used),
        "gas_price": None if receipt.gas_price is None else float(receipt.gas_price),
        "input_length": sent.input_length,
        "created": receipt.created,
        "failure": None if receipt.success else _failure(mined, sent),
    }


def _failure(mined: Mined, sent: Transaction) -> str | None:
    """Why a transaction was reverted; null where no trace tells, unless all gas is gone."""
    if mined.traces:
        root = mined.traces[sent.index][0]
        if "out of gas" in (root.error or "").lower():
            return "out_of_gas"
        if root.panicked:
            return "panic"
        return "revert" if "revert" in (root.error or "").lower() else "other"
    return "out_of_gas" if mined.receipts[sent.index].gas_used >= sent.gas else None


def _said(mined: Mined, index: int, address: str) -> dict[str, Any]:
    """What the events of an address in a transaction add up to."""
    events = [e for e in mined.events[index] if e.log.address == address]
    logs = sum(log.address == address for log in mined.receipts[index].logs)
    kinds = ["mint" if e.supplied > 0 else e.kind for e in events]
    grave = [kind for kind in kinds if kind in PRIVILEGED]
    # A token that says both Mint and Transfer from nobody says one thing twice.
    minted = max(_sum(events, "mint"), sum(max(e.supplied, 0) for e in events))
    twice = min(kinds.count("mint"), sum(e.kind == "mint" for e in events))
    doubled = twice if any(e.supplied > 0 for e in events) else 0
    return {
        "deposits": kinds.count("deposit"),
        "deposited": float(_sum(events, "deposit")),
        "withdrawals": kinds.count("withdrawal"),
        "withdrawn": float(_sum(events, "withdrawal")),
        "transferred": float(_sum(events, "transfer")),
        "minted": float(minted),
        "state_changes": logs,
        "privileged": min(grave, key=PRIVILEGED.index) if grave else None,
        "privileged_events": len(grave) - doubled,
    }


def _sum(events: Iterable[Event], kind: str) -> int:
    return sum(e.amount or 0 for e in events if e.kind == kind)


def lasting(calls: Sequence[Call]) -> Iterator[Call]:
    """The calls of a tree whose effect lasts, in the order of execution."""
    undone: int | None = None
    for call in calls:
        if undone is not None and call.depth > undone:
            continue
        # What a call that failed did, and what it called, is undone.
        undone = call.depth if call.error else None
        if undone is None:
            yield call


def flows(calls: Sequence[Call]) -> Counter[str]:
    """By how much ether each account changes in a call tree, in wei; fees are not in it."""
    changed: Counter[str] = Counter()
    for call in lasting(calls):
        if call.kind in MOVES and call.value:
            changed[call.sender] -= call.value
            if call.to:
                changed[call.to] += call.value
    return changed


def _flows(mined: Mined, index: int) -> Counter[str] | None:
    """The same for a mined transaction, fees included; None where no trace tells."""
    if not mined.traces:
        return None
    changed, receipt = flows(mined.traces[index]), mined.receipts[index]
    changed[mined.block.transactions[index].sender] -= receipt.gas_used * (receipt.gas_price or 0)
    return changed
