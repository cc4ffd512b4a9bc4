"""Events of known interfaces: what a contract says it did, in one vocabulary.

An event counts as known when its signature and its number of indexed fields agree: an NFT's
`Transfer` has the signature of a token's, and its last field is no amount.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from web3 import Web3

from pipeline.sources.chain_decode import Log

__all__ = ["KNOWN", "PRIVILEGED", "Event", "Interface", "decode", "interfaces"]

ZERO = "0x" + 40 * "0"
WORD = 64

PRIVILEGED = ("upgrade", "owner", "role", "mint", "unpause", "parameter", "pause", "other")
"""Kinds of privileged events, the gravest first."""

KINDS = {
    "Paused": "pause",
    "Unpaused": "unpause",
    "RoleGranted": "role",
    "RoleRevoked": "role",
    "RoleAdminChanged": "role",
    "OwnerChanged": "owner",
    "OwnershipTransferred": "owner",
    "AdminChanged": "owner",
    "Upgraded": "upgrade",
    "BeaconUpgraded": "upgrade",
    "ParameterChanged": "parameter",
    "Scheduled": "other",
    "Blocked": "other",
    "Unblocked": "other",
    "Mint": "mint",
    "Transfer": "transfer",
    "Deposit": "deposit",
    "Withdrawal": "withdrawal",
    "Withdraw": "withdrawal",
}
"""What an event's name means."""
AMOUNTS = ("amount", "value", "assets", "wad")
"""Names of the field that tells how much, by preference."""

TEXTS = (
    "Paused(address indexed account)",
    "Paused(address account)",
    "Unpaused(address indexed account)",
    "Unpaused(address account)",
    "RoleGranted(bytes32 indexed role, address indexed account, address indexed sender)",
    "RoleRevoked(bytes32 indexed role, address indexed account, address indexed sender)",
    "RoleAdminChanged(bytes32 indexed role, bytes32 indexed before, bytes32 indexed after)",
    "OwnerChanged(address indexed before, address indexed owner)",
    "OwnershipTransferred(address indexed before, address indexed owner)",
    "AdminChanged(address before, address owner)",
    "Upgraded(address indexed implementation)",
    "BeaconUpgraded(address indexed implementation)",
    "ParameterChanged(bytes32 indexed name, uint256 before, uint256 after)",
    "Scheduled(bytes32 indexed change, uint256 ready)",
    "Blocked(address indexed account)",
    "Unblocked(address indexed account)",
    "Mint(address indexed to, uint256 amount)",
    "Transfer(address indexed from, address indexed to, uint256 amount)",
    "Deposit(address indexed account, uint256 amount)",
    "Deposit(address indexed sender, address indexed account, uint256 amount, uint256 shares)",
    "Withdrawal(address indexed account, uint256 amount)",
    "Withdraw(address indexed sender, address indexed to, address indexed account,"
    " uint256 amount, uint256 shares)",
)
"""Events of OpenZeppelin's access, pause, proxy and token contracts, of WETH, of ERC-4626, ours."""


@dataclass(frozen=True)
class Interface:
    """An event as its contract declares it: name, meaning, and fields (name, type, indexed)."""

    name: str
    kind: str
    fields: tuple[tuple[str, str, bool], ...]

    @property
    def topic(self) -> str:
        """Hash of the signature: the first topic of its logs."""
        types = ",".join(kind for _, kind, _ in self.fields)
        return "0x" + bytes(Web3.keccak(text=f"{self.name}({types})")).hex()

    @property
    def key(self) -> tuple[str, int]:
        """Signature and number of indexed fields."""
        return self.topic, sum(indexed for *_, indexed in self.fields)


@dataclass(frozen=True)
class Event:
    """A known event of a contract."""

    log: Log
    name: str
    kind: str
    arguments: dict[str, str | int | bool]

    @property
    def amount(self) -> int | None:
        """How much of the asset, where the event tells an amount."""
        for name in AMOUNTS:
            if isinstance(amount := self.arguments.get(name), int):
                return amount
        return None

    @property
    def supplied(self) -> int:
        """By how much a transfer changes the supply: from nobody it mints, to nobody it burns."""
        if self.kind != "transfer":
            return 0
        arguments, amount = self.arguments, self.amount or 0
        return amount * (arguments.get("from") == ZERO) - amount * (arguments.get("to") == ZERO)


def interfaces(abi: Sequence[dict[str, Any]]) -> dict[tuple[str, int], Interface]:
    """Events of a contract's ABI that mean something here, to be added to `KNOWN`.

    Only fields of one word are read; an event with others (texts, arrays) is left out.
    """
    found = {}
    for entry in abi:
        if entry.get("type") != "event" or entry["name"] not in KINDS:
            continue
        fields = tuple((f["name"], f["type"], bool(f["indexed"])) for f in entry["inputs"])
        if all(_readable(kind) for _, kind, _ in fields):
            interface = Interface(entry["name"], KINDS[entry["name"]], fields)
            found[interface.key] = KNOWN.get(interface.key, interface)
    return found


def decode(log: Log, known: dict[tuple[str, int], Interface]) -> Event | None:
    """The event that a log is, None where it is not a known one.

    Data of another length than the fields need is not a known event either.
    """
    if not log.topics:
        return None
    interface = known.get((log.topics[0], len(log.topics) - 1))
    if interface is None:
        return None
    indexed = iter(log.topics[1:])
    data = log.data[2:]
    words = [data[i : i + WORD] for i in range(0, len(data), WORD)]
    plain = sum(not is_indexed for *_, is_indexed in interface.fields)
    if len(words) != plain or len(data) != plain * WORD:
        return None
    rest = iter(words)
    arguments = {
        name: _value(kind, next(indexed)[2:] if is_indexed else next(rest))
        for name, kind, is_indexed in interface.fields
    }
    return Event(log, interface.name, interface.kind, arguments)


def _readable(kind: str) -> bool:
    return re.fullmatch(r"address|bool|bytes32|u?int\d*", kind) is not None


def _value(kind: str, word: str) -> str | int | bool:
    if kind == "address":
        return "0x" + word[-40:]
    if kind == "bytes32":
        return "0x" + word
    value = int(word, 16)
    if kind == "bool":
        return value != 0
    return value - 2**256 if kind.startswith("int") and value >= 2**255 else value


def _parse(text: str) -> Interface:
    name, _, inside = text.rstrip(")").partition("(")
    words = [field.split() for field in inside.split(",")]
    fields = tuple((w[-1], w[0], "indexed" in w) for w in words)
    return Interface(name, KINDS[name], fields)


KNOWN = {interface.key: interface for interface in map(_parse, TEXTS)}
"""The events that are known everywhere, by `Interface.key`."""
