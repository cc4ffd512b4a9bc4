"""Funds that left: the accounts they went to, followed block by block and kept on a list."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from pipeline.database import upsert
from serving.playbooks.action import Context, Outcome
from serving.playbooks.actions.calls import chain_of
from serving.playbooks.actions.chain_look import trace, walk
from serving.playbooks.actions.look import Look
from serving.playbooks.actions.parameters import address, listed, whole
from serving.store.tables import memory

__all__ = ["ACTIONS", "PART"]

PART = "watch"
"""Part of table ``memory`` that holds the watch-list: an address, why and until when."""
NONE = "none"
"""What people write where nothing has left."""
MOST = 200
DUST = 10**15
"""Wei below which a payment is not followed."""


def _read(context: Context, parameters: Mapping[str, Any]) -> dict[str, Any]:
    given = [one for one in listed(parameters, "addresses") if one.lower() != NONE]
    return {
        "addresses": [address(context, {"addresses": one}, "addresses") for one in given],
        "hours": whole(parameters, "hours", 72, least=1, most=8_760),
        "blocks": whole(parameters, "blocks", 100, least=1, most=10_000),
    }


def _watch(context: Context, intent: Mapping[str, Any]) -> Outcome:
    if not intent["addresses"]:
        return Outcome("nothing has left, so no account is watched", {"addresses": []})
    chain = chain_of(context)
    newest = chain.newest
    known: dict[str, str] = dict.fromkeys(intent["addresses"], "")
    # A contract that many use is where a trail ends: only accounts without code are followed.
    for _, sent, receipt in walk(chain, newest - intent["blocks"] + 1, newest):
        if not receipt.success or (sent.sender not in known and sent.to not in known):
            continue
        for call in trace(chain, sent.hash):
            to = call.to
            if to is None or to in known or call.sender not in known or call.value < DUST:
                continue
            if len(known) < MOST and not _has_code(context, to):
                known[to] = call.sender
    until = context.now + timedelta(hours=intent["hours"])
    rows = [
        {
            "part": PART,
            "key": account,
            "state": {"incident": context.incident, "from": before, "until": until.isoformat()},
        }
        for account, before in known.items()
    ]
    with context.engine.begin() as connection:
        upsert(connection, memory, rows)
    words = f"{len(known)} accounts are watched until {until:%Y-%m-%d %H:%M UTC}"
    return Outcome(words, {"addresses": list(known)})


def _has_code(context: Context, account: str) -> bool:
    code = chain_of(context).request("eth_getCode", account, "latest", parse=str)
    return len(code) > 2


def _there(context: Context, intent: Mapping[str, Any]) -> bool:
    wanted = sa.select(memory.c.key, memory.c.state).where(
        memory.c.part == PART, memory.c.key.in_(intent["addresses"])
    )
    with context.engine.connect() as connection:
        found = {
            row.key
            for row in connection.execute(wanted)
            if row.state["incident"] == context.incident
        }
    return found == set(intent["addresses"])


ACTIONS = [
    Look(
        "watch.funds",
        "follows ether from some accounts, and watches where it went",
        _read,
        lambda given: f"follow ether from {', '.join(given['addresses']) or NONE}",
        _watch,
        _there,
    )
]
