"""Answers of a node, read at the border: blocks, receipts, logs and call trees.

Everything a node says is checked once, here. What does not fit is `MalformedError`, by field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from features.calls import CALLS
from pipeline.sources.chain_rpc import MalformedError

__all__ = [
    "Block",
    "Call",
    "Log",
    "Receipt",
    "Transaction",
    "block",
    "calls",
    "number",
    "receipts",
    "selector",
    "text",
    "traces",
]

KINDS = frozenset(
    next(c.type for c in CALLS.columns if c.name == "kind").categories.to_list()  # type: ignore[attr-defined]
)
DIGITS = frozenset("0123456789abcdefABCDEF")
PANIC = "0x4e487b71"
"""What the output of a failed assertion begins with: `Panic(uint256)`."""
LATEST = 253402300800
"""Unix time of the year 10000."""


@dataclass(frozen=True)
class Transaction:
    """A transaction as its block tells it; amounts in wei, addresses in lower case."""

    hash: str
    index: int
    sender: str
    to: str | None
    value: int
    selector: str
    input_length: int
    nonce: int
    gas: int


@dataclass(frozen=True)
class Block:
    """A block with its transactions."""

    number: int
    hash: str
    parent: str
    time: datetime
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True)
class Log:
    """An event that a contract wrote."""

    index: int
    address: str
    topics: tuple[str, ...]
    data: str


@dataclass(frozen=True)
class Receipt:
    """What became of a transaction."""

    hash: str
    success: bool
    gas_used: int
    gas_price: int | None
    created: str | None
    logs: tuple[Log, ...]


@dataclass(frozen=True)
class Call:
    """One call of a transaction; the root is its first."""

    depth: int
    kind: str
    sender: str
    to: str | None
    value: int
    selector: str
    input_length: int
    error: str | None
    panicked: bool


def block(answer: Any) -> Block:
    """A block as ``eth_getBlockByNumber`` and ``eth_getBlockByHash`` give it, in full."""
    given = _object(answer, "block")
    at = number(given, "timestamp")
    if at >= LATEST:
        raise MalformedError(f"timestamp = {at}; expected seconds before the year 10000")
    read = [_transaction(t, i) for i, t in enumerate(_list(given, "transactions"))]
    return Block(
        number(given, "number"),
        text(given, "hash", 32),
        text(given, "parentHash", 32),
        datetime.fromtimestamp(at, UTC),
        tuple(read),
    )


def receipts(answer: Any, of: Block) -> tuple[Receipt, ...]:
    """The receipts of a block, in the order of its transactions."""
    if not isinstance(answer, list) or len(answer) != len(of.transactions):
        raise MalformedError(f"receipts of block {of.number}; expected {len(of.transactions)}")
    read = []
    for given, transaction in zip(answer, of.transactions, strict=True):
        receipt = _object(given, "receipt")
        # A node that changed its mind between two answers must not mix two chains.
        for field, wanted in (("blockHash", of.hash), ("transactionHash", transaction.hash)):
            if text(receipt, field, 32) != wanted:
                raise MalformedError(f"{field} = {receipt[field]}; expected {wanted}")
        price = receipt.get("effectiveGasPrice")
        created = receipt.get("contractAddress")
        read.append(
            Receipt(
                transaction.hash,
                number(receipt, "status") == 1,
                number(receipt, "gasUsed"),
                None if price is None else number(receipt, "effectiveGasPrice"),
                None if created is None else text(receipt, "contractAddress", 20),
                tuple(_log(log) for log in _list(receipt, "logs")),
            )
        )
    return tuple(read)


def traces(answer: Any, of: Block) -> tuple[tuple[Call, ...], ...]:
    """Call trees as ``debug_traceBlockByHash`` gives them, a transaction each."""
    if not isinstance(answer, list) or len(answer) != len(of.transactions):
        raise MalformedError(f"traces of block {of.number}; expected {len(of.transactions)}")
    return tuple(calls(_object(given, "trace").get("result")) for given in answer)


def calls(answer: Any) -> tuple[Call, ...]:
    """A call tree as geth's ``callTracer`` gives it, flat, in the order of execution."""
    read: list[Call] = []
    waiting = [(answer, 0)]
    while waiting:
        told, depth = waiting.pop()
        given = _object(told, "call")
        kind = given.get("type")
        output, error, to = given.get("output"), given.get("error"), given.get("to")
        data = text(given, "input")
        read.append(
            Call(
                depth,
                kind if isinstance(kind, str) and kind in KINDS else "OTHER",
                text(given, "from", 20),
                None if to is None else text(given, "to", 20),
                number(given, "value") if given.get("value") is not None else 0,
                selector(data),
                len(data) // 2 - 1,
                None if error is None else str(error)[:200],
                output is not None and text(given, "output").startswith(PANIC),
            )
        )
        inner = _list(given, "calls") if given.get("calls") is not None else []
        waiting += [(call, depth + 1) for call in reversed(inner)]
    return tuple(read)


def selector(data: str) -> str:
    """The first four bytes of an input; 0x where it is shorter."""
    return data[:10] if len(data) >= 10 else "0x"


def number(given: dict[str, Any], field: str) -> int:
    """A quantity: hexadecimal, of at most 256 bits."""
    value = given.get(field)
    if not isinstance(value, str) or not value.startswith("0x") or not 3 <= len(value) <= 66:
        raise MalformedError(f"{field} = {str(value)[:80]!r}; expected a quantity such as 0x1a")
    if not DIGITS.issuperset(value[2:]):
        raise MalformedError(f"{field} = {value!r}; expected hexadecimal digits")
    return int(value, 16)


def text(given: dict[str, Any], field: str, size: int | None = None) -> str:
    """Bytes in hexadecimal, of a size where one is asked for, in lower case."""
    return _bytes(given.get(field), field, size)


def _bytes(value: Any, field: str, size: int | None) -> str:
    fits = isinstance(value, str) and value.startswith("0x") and len(value) % 2 == 0
    if not fits or (size is not None and len(value) != 2 + 2 * size):
        wanted = "bytes" if size is None else f"{size} bytes"
        raise MalformedError(f"{field} = {str(value)[:80]!r}; expected {wanted} in hexadecimal")
    if not DIGITS.issuperset(value[2:]):
        raise MalformedError(f"{field} = {value[:80]!r}; expected hexadecimal digits")
    return str(value).lower()


def _transaction(answer: Any, index: int) -> Transaction:
    given = _object(answer, "transaction")
    data = text(given, "input")
    return Transaction(
        text(given, "hash", 32),
        index,
        text(given, "from", 20),
        None if given.get("to") is None else text(given, "to", 20),
        number(given, "value"),
        selector(data),
        len(data) // 2 - 1,
        number(given, "nonce"),
        number(given, "gas"),
    )


def _log(answer: Any) -> Log:
    given = _object(answer, "log")
    topics = tuple(_bytes(topic, "topics", 32) for topic in _list(given, "topics"))
    return Log(number(given, "logIndex"), text(given, "address", 20), topics, text(given, "data"))


def _object(answer: Any, what: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise MalformedError(f"{what} = {str(answer)[:80]!r}; expected an object")
    return answer


def _list(given: dict[str, Any], field: str) -> list[Any]:
    value = given.get(field)
    if not isinstance(value, list):
        raise MalformedError(f"{field} = {str(value)[:80]!r}; expected a list")
    return value
