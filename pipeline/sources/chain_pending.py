"""Transactions that wait to be mined, and what they would do: asked before they do it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from pipeline.sources import chain_decode as decode
from pipeline.sources.chain_rows import flows
from pipeline.sources.chain_rpc import MalformedError, Rpc

__all__ = ["Pending", "Simulated", "pending", "reentered", "simulate_pending"]

TRACER = {"tracer": "callTracer"}


@dataclass(frozen=True)
class Pending:
    """A transaction that waits: who sent it, and what it costs to be mined before it."""

    hash: str
    sender: str
    to: str | None
    nonce: int
    tip: int
    fields: dict[str, str]


@dataclass(frozen=True)
class Simulated:
    """What a transaction would do now.

    Parameters
    ----------
    success : bool
        Whether it would not be reverted.
    calls : tuple of Call
        Its call tree, in the order of execution.
    flows : dict of str to int
        By how much ether each account would change, in wei, fees left out.
    reentered : tuple of str
        Contracts that would be called while a call of theirs is under way.
    """

    success: bool
    calls: tuple[decode.Call, ...]
    flows: dict[str, int]
    reentered: tuple[str, ...]


def pending(rpc: Rpc) -> list[Pending]:
    """The transactions that the node shows as waiting; empty where it shows none."""
    return rpc.ask("eth_getBlockByNumber", ["pending", True], _waiting)


def simulate_pending(rpc: Rpc, waiting: Pending) -> Simulated:
    """Run a waiting transaction upon the newest block, without a trace left behind.

    Raises
    ------
    UnsupportedError
        No node has ``debug_traceCall``.
    """
    calls = rpc.ask("debug_traceCall", [waiting.fields, "latest", TRACER], decode.calls)
    moved: Counter[str] = flows(calls)
    changed = {address: wei for address, wei in sorted(moved.items()) if wei}
    return Simulated(calls[0].error is None, calls, changed, reentered(calls))


def _waiting(answer: Any) -> list[Pending]:
    if not isinstance(answer, dict) or not isinstance(answer.get("transactions"), list):
        raise MalformedError(f"pending block = {str(answer)[:80]!r}; expected transactions")
    found = []
    for given in answer["transactions"]:
        if not isinstance(given, dict):
            raise MalformedError(f"transaction = {str(given)[:80]!r}; expected an object")
        to = None if given.get("to") is None else decode.text(given, "to", 20)
        tip = "maxPriorityFeePerGas" if given.get("maxPriorityFeePerGas") else "gasPrice"
        for name in ("value", "gas"):
            decode.number(given, name)
        decode.text(given, "input")
        fields = {name: given[name] for name in ("value", "gas", "input")}
        sender = decode.text(given, "from", 20)
        found.append(
            Pending(
                decode.text(given, "hash", 32),
                sender,
                to,
                decode.number(given, "nonce"),
                decode.number(given, tip),
                fields | {"from": sender} | ({} if to is None else {"to": to}),
            )
        )
    return found


def reentered(calls: tuple[decode.Call, ...]) -> tuple[str, ...]:
    """Contracts that are called again, with a call that may change them, below their own call."""
    path: list[str | None] = []
    found: list[str] = []
    for call in calls:
        del path[call.depth :]
        direct = call.kind == "CALL" and call.selector != "0x"
        if direct and call.to is not None and call.to in path[:-1]:
            found.append(call.to)
        path.append(call.to)
    return tuple(dict.fromkeys(found))
