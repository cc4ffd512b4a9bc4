"""What watched accounts held, owed and issued around a block: asked by the block's hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from web3 import Web3

from pipeline.sources import chain_decode as decode
from pipeline.sources.chain_rows import Mined, State, Watched
from pipeline.sources.chain_rpc import MalformedError, Question, Rpc

__all__ = ["ask"]


def ask(rpc: Rpc, blocks: Sequence[Mined], watched: Mapping[str, Watched] | None) -> list[State]:
    """The state of each block's touched accounts, in one round of questions.

    Blocks long past need a node that keeps old states; one that does not is a failure, so that
    rows are the same whenever they are read.
    """
    states = [State({}, {}, {}, {}, {}) for _ in blocks]
    questions: list[Question[int | None]] = []
    places: list[tuple[dict[str, int], str]] = []

    def put(into: Mapping[str, int], address: str, question: Question[int | None]) -> None:
        assert isinstance(into, dict)
        places.append((into, address))
        questions.append(question)

    for mined, state in zip(blocks, states, strict=True):
        touched = {
            address
            for index in range(len(mined.block.transactions))
            for address in mined.about(index, watched)
        }
        for account in (watched[a] for a in sorted(touched) if watched is not None):
            at, before = {"blockHash": mined.hash}, {"blockHash": mined.parent}
            address = account.address
            if account.ether:
                put(state.after, address, ("eth_getBalance", [address, at], _quantity))
                put(state.before, address, ("eth_getBalance", [address, before], _quantity))
            if account.owes:
                put(state.liabilities, address, _call(address, account.owes, at))
            if account.supply:
                put(state.supply, address, _call(address, account.supply, at))
                put(state.supply_before, address, _call(address, account.supply, before))
    for (into, address), value in zip(places, rpc.ask_all(questions), strict=True):
        if value is not None:
            into[address] = value
    return states


def _call(address: str, signature: str, at: dict[str, str]) -> Question[int | None]:
    data = "0x" + bytes(Web3.keccak(text=signature))[:4].hex()
    return "eth_call", [{"to": address, "data": data}, at], _word


def _quantity(answer: Any) -> int | None:
    return decode.number({"balance": answer}, "balance")


def _word(answer: Any) -> int | None:
    """A number that a contract returned; None before there is a contract."""
    told = decode.text({"output": answer}, "output")
    if len(told) not in (2, 66):
        raise MalformedError(f"output = {told[:80]!r}; expected one word")
    return int(told, 16) if len(told) == 66 else None
