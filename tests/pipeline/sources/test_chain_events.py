"""Known events are read; what only looks like one is not."""

from __future__ import annotations

import pytest

from pipeline.simulate.chain.build import CONTRACTS, artefact
from pipeline.sources.chain_decode import Log
from pipeline.sources.chain_events import KNOWN, PRIVILEGED, Event, decode, interfaces

A, B = ("0x" + 24 * "0" + c * 40 for c in "ab")
ZERO = "0x" + 64 * "0"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
FIVE = "0x" + f"{5:064x}"


def log(*topics: str, data: str = "0x") -> Log:
    return Log(0, "0x" + 40 * "c", topics, data)


def test_a_transfer_tells_from_to_and_how_much() -> None:
    event = decode(log(TRANSFER, A, B, data=FIVE), KNOWN)
    assert event is not None
    assert (event.kind, event.amount, event.supplied) == ("transfer", 5, 0)
    assert event.arguments == {"from": "0x" + 40 * "a", "to": "0x" + 40 * "b", "amount": 5}


def test_a_transfer_from_nobody_mints_and_to_nobody_burns() -> None:
    minted, burnt = decode(log(TRANSFER, ZERO, B, data=FIVE), KNOWN), None
    burnt = decode(log(TRANSFER, A, ZERO, data=FIVE), KNOWN)
    assert isinstance(minted, Event)
    assert isinstance(burnt, Event)
    assert (minted.supplied, burnt.supplied) == (5, -5)


@pytest.mark.parametrize(
    "odd",
    [
        log(),
        log(TRANSFER, A, B, FIVE),  # an NFT: the last field is indexed and no amount
        log(TRANSFER, A, B),
        log(TRANSFER, A, B, data=FIVE + "00"),
        log(TRANSFER, A, B, data=FIVE + FIVE[2:]),
        log(FIVE, A),
    ],
)
def test_what_only_looks_like_an_event_is_none(odd: Log) -> None:
    assert decode(odd, KNOWN) is None


def test_every_event_of_our_contracts_that_means_something_is_known() -> None:
    named: set[str] = set()
    for name in CONTRACTS:
        found = interfaces(artefact(name).abi)
        assert found.items() <= KNOWN.items()
        named |= {interface.name for interface in found.values()}
    assert {"Paused", "RoleGranted", "OwnerChanged", "Upgraded", "Mint", "Deposit"} <= named


def test_an_abi_teaches_new_events() -> None:
    fields = [
        {"name": "who", "type": "address", "indexed": False},
        {"name": "assets", "type": "int128", "indexed": False},
        {"name": "final", "type": "bool", "indexed": True},
    ]
    abi = [
        {"type": "event", "name": "Withdraw", "inputs": fields},
        {"type": "event", "name": "Deposit", "inputs": [fields[0] | {"type": "string"}]},
        {"type": "event", "name": "Else", "inputs": []},
        {"type": "function", "name": "Paused", "inputs": []},
    ]
    known = interfaces(abi)
    assert [i.name for i in known.values()] == ["Withdraw"]
    ((topic, _),) = known
    minus = "0x" + f"{2**256 - 3:064x}"
    event = decode(log(topic, FIVE, data=A + minus[2:]), known)
    assert event is not None
    assert event.arguments == {"who": "0x" + 40 * "a", "assets": -3, "final": True}
    assert event.amount == -3


def test_the_gravest_kinds_are_those_of_the_stream() -> None:
    kinds = {interface.kind for interface in KNOWN.values()}
    assert set(PRIVILEGED) <= kinds
    assert kinds - set(PRIVILEGED) == {"transfer", "deposit", "withdrawal"}
