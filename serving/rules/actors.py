"""Who is behind an API key, a network address or an address on the chain, by what they did.

A request that succeeded ties what it came with to its account: the key that signed it, the network
address that it came from, the address that money was sent to. What two accounts have in common,
such as the address of an office or an exchange's wallet, is nobody's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import polars as pl
import sqlalchemy as sa

from features.access.stream import ACCESS
from serving.store.tables import memory

__all__ = ["MOST", "PART", "Actors"]

PART = "actors"
"""Of what the store remembers."""

MOST = 100_000
"""Names that are remembered; those known longest are forgotten first."""

MOST_NAMES = 32
"""Names of an account that are told; an account of a service may have thousands of addresses."""

COLUMNS = ("key", "ip")
TO = r"[?&]address=([^&]+)"
NOBODY = ""


class Actors:
    """The account behind each name, for correlations that join by actor.

    >>> actors = Actors()
    >>> actors.restore({"key-1": {"account": "ann", "at": 0}, "10.0.0.1": {"account": "", "at": 1}})
    >>> actors("key-1"), actors("10.0.0.1"), actors("ann")
    ('ann', '10.0.0.1', 'ann')
    """

    def __init__(self) -> None:
        # In the order in which they became known: each name's account, and its place in that order.
        self._accounts: dict[str, tuple[str, int]] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._known = 0
        self._touched: set[str] = set()

    def __call__(self, name: str) -> str:
        """The account behind a name; the name itself where there is none, or more than one."""
        account, _ = self._accounts.get(name, (NOBODY, 0))
        return account or name

    def names(self, account: str) -> list[str]:
        """What is an account's alone, at most the 32 known longest."""
        return list(self._names.get(account, ()))[:MOST_NAMES]

    @classmethod
    def of(cls, connection: sa.Connection) -> Self:
        """What the stream has learned, by its store."""
        new = cls()
        kept = sa.select(memory.c.key, memory.c.state).where(memory.c.part == PART)
        new.restore({row.key: row.state for row in connection.execute(kept)})
        return new

    def see(self, stream: str, events: pl.DataFrame) -> None:
        """Learn who is behind what from the events of a step; those that were refused say nothing.

        Parameters
        ----------
        stream : str
            Only `features.access.stream.ACCESS` tells of accounts and what they come with.
        """
        if stream != ACCESS.name:
            return
        granted = (pl.col("outcome").cast(pl.String) != "failure").fill_null(True)
        served = (pl.col("status") < 400).fill_null(True)
        done = events.filter(granted, served, pl.col("account").is_not_null())
        paid = done.filter(pl.col("kind").cast(pl.String) == "withdrawal")
        named = [
            *(done.select("account", name=column) for column in COLUMNS),
            paid.select("account", name=pl.col("path").str.extract(TO)),
        ]
        pairs = pl.concat(named).drop_nulls().unique(maintain_order=True)
        for account, name in pairs.iter_rows():
            self._tie(name, account)

    def state(self) -> dict[str, dict[str, Any] | None]:
        """What changed since the last call, JSON-able; None where forgotten."""
        changed: dict[str, dict[str, Any] | None] = {}
        for name in sorted(self._touched):
            known = self._accounts.get(name)
            changed[name] = None if known is None else {"account": known[0], "at": known[1]}
        self._touched.clear()
        return changed

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Begin again from what `state` gave, all of it put together."""
        # Before places were kept there were none: those names count as known longest.
        read = [(given.get("at", -1), name, given["account"]) for name, given in state.items()]
        self._accounts, self._names = {}, {}
        for at, name, account in sorted(read):
            self._set(name, account, at)
        self._known = max((at for at, _, _ in read), default=-1) + 1
        self._touched.clear()

    def _tie(self, name: str, account: str) -> None:
        known, at = self._accounts.get(name, (None, self._known))
        if known is None and name != account:
            self._set(name, account, at)
            self._known += 1
            if len(self._accounts) > MOST:
                gone = next(iter(self._accounts))
                self._untie(gone, self._accounts.pop(gone)[0])
                self._touched.add(gone)
        elif known not in (account, NOBODY, None):
            self._untie(name, known)
            self._set(name, NOBODY, at)
        else:
            return
        self._touched.add(name)

    def _set(self, name: str, account: str, at: int) -> None:
        self._accounts[name] = account, at
        if account:
            self._names.setdefault(account, {})[name] = None

    def _untie(self, name: str, account: str | None) -> None:
        if account:
            names = self._names[account]
            del names[name]
            if not names:
                del self._names[account]
