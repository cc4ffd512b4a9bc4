"""The newest blocks, judged by exact rules as they come, and taken back when the chain does.

Windows of a chain are made of blocks six deep. What one block shows for certain, a broken invariant
or a privileged change, is told at once: each block is a window of its own, and what it breaches is
the same alert that the stream feeds when it comes there. Where a block leaves the chain, an alert
that nothing else speaks for is over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

import polars as pl
import sqlalchemy as sa

from features.contracts import ADDRESS_12S
from features.extract import extract
from features.transactions import TRANSACTIONS
from pipeline.database import upsert
from pipeline.sources.chain_ring import DeepReorganisationError
from serving.alerts.learned import Key
from serving.alerts.ledger import Ledger
from serving.alerts.lifecycle import OPEN
from serving.alerts.record import Row
from serving.alerts.witness import numbers_of
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.rule import Pack
from serving.store.tables import alerts, memory
from serving.verdict import RiskNow, Verdict, judge

if TYPE_CHECKING:  # the chain's libraries are an extra
    from pipeline.sources.chain import Chain, Head

__all__ = ["Heads", "Ledgers"]

Ledgers: TypeAlias = Callable[[sa.Connection, datetime], Ledger]
"""Makes a ledger for verdicts that do not come from the stream."""

VIEW = ADDRESS_12S
"""Its rules need one block and no more."""
PART = "heads"


class Heads:
    """Follows the end of a chain, and opens and takes back alerts.

    What was told of which block is in the store, in the transaction that told it, so that a block
    that leaves the chain while nobody looks is taken back too.

    Parameters
    ----------
    name : str
        Of the chain's source.
    chain : Chain
        Of this one's own: nobody else reads its heads.
    packs : iterable of Pack
        Of their rules those over ``transactions.address_12s``.
    engine : sqlalchemy.Engine
    ledger : callable
    """

    def __init__(
        self,
        name: str,
        chain: Chain,
        packs: Iterable[Pack],
        engine: sa.Engine,
        ledger: Ledgers,
    ) -> None:
        self._name, self._chain, self._engine, self._ledger = name, chain, engine, ledger
        self._book = RuleBook(packs)
        self._waiting: list[Head] = []
        self._begun = False

    def tick(self, *, now: datetime) -> list[Verdict]:
        """Judge what happened to the chain's end since the last call; what was told.

        Raises
        ------
        SourceError
            No node answers, or the chain changed deeper than can be followed: the next call
            begins anew.
        """
        try:
            self._waiting += self._chain.heads()
        except DeepReorganisationError:
            self._waiting, self._begun = [], False
            raise
        if self._begun and not self._waiting:
            return []
        with self._engine.begin() as connection:
            told = self._judge(connection, now)
        self._waiting, self._begun = [], True
        return told

    def close(self) -> None:
        """Give up connections."""
        self._chain.close()

    def _judge(self, connection: sa.Connection, now: datetime) -> list[Verdict]:
        heads = {head.hash: head for head in self._waiting}
        told = self._told(connection)
        gone = {name for name, head in heads.items() if head.kind == "retract"} & told.keys()
        if not self._begun:
            unseen = told.keys() - heads.keys()
            gone |= {name for name in unseen if not self._chain.holds(told[name]["number"], name)}
        fresh = [head for head in heads.values() if head.kind == "apply"]
        ledger, verdicts = self._ledger(connection, now), list[Verdict]()
        for head in fresh:
            found, windows = self._found(head, now)
            if found:
                ledger.apply(found, windows)
                told[head.hash] = self._note(head, found, told)
                verdicts += found
        ledger.write()
        self._withdraw(connection, told, gone, now)
        self._remember(connection, told, gone, fresh)
        return verdicts

    def _found(self, head: Head, now: datetime) -> tuple[list[Verdict], dict[Key, Row]]:
        """What a block breaches, and the windows that show it."""
        events = TRANSACTIONS.validate(head.transactions, now=now).events
        windows = extract(VIEW, events)
        # Each block is judged by itself: what others said is not remembered.
        self._book.restore({})
        found: dict[str, list[Breach]] = defaultdict(list)
        for breach in self._book.breaches(VIEW.name, windows):
            if not breach.pending:
                found[breach.entity].append(breach)
        verdicts, rows = list[Verdict](), dict[Key, Row]()
        for window in windows.filter(pl.col("entity").is_in(list(found))).iter_rows(named=True):
            entity, start, end = (window[name] for name in ("entity", "start", "end"))
            times = {"start": start.isoformat(), "end": end.isoformat()}
            rows[VIEW.name, entity, end] = {
                "window": {"entity": entity, **times, **numbers_of(window)},
                "block": {"number": head.number, "hash": head.hash},
            }
            breaches, risk = found[entity], RiskNow()
            verdicts += judge(
                VIEW.name, entity, start, end, breaches=breaches, rarity=None, risk=risk
            )
        return verdicts, rows

    def _note(self, head: Head, found: list[Verdict], told: Mapping[str, Row]) -> Row:
        """What is kept of a block: its alerts, each with the first start that a block gave it."""
        starts: dict[str, str] = {}
        for verdict in found:
            name = verdict.fingerprint
            others = [row["alerts"][name] for row in told.values() if name in row["alerts"]]
            starts[name] = min([verdict.start.isoformat(), *others])
        return {"chain": self._name, "number": head.number, "alerts": starts}

    def _withdraw(
        self, connection: sa.Connection, told: Mapping[str, Row], gone: Set[str], now: datetime
    ) -> None:
        """End alerts that blocks opened which are gone, and that no other block speaks for."""
        still = {name for block in told.keys() - gone for name in told[block]["alerts"]}
        ledger = self._ledger(connection, now)
        for block in sorted(gone):
            for name, start in told[block]["alerts"].items():
                mine = sa.select(alerts.c.last_seen).where(
                    alerts.c.fingerprint == name,
                    alerts.c.state.in_(OPEN),
                    # One that is older was opened by blocks that are deep in the chain.
                    alerts.c.start >= datetime.fromisoformat(start),
                )
                seen = connection.execute(mine).scalar()
                if seen is not None and name not in still:
                    number = told[block]["number"]
                    ledger.end(name, at=seen, who=f"block {number} left the chain")
        ledger.write()

    def _told(self, connection: sa.Connection) -> dict[str, Row]:
        """What was told of blocks that may still leave the chain, by their hash."""
        rows = connection.execute(sa.select(memory).where(memory.c.part == PART))
        return {row.key: row.state for row in rows if row.state["chain"] == self._name}

    def _remember(
        self, connection: sa.Connection, told: Mapping[str, Row], gone: Set[str], fresh: list[Head]
    ) -> None:
        """Keep what was told of blocks, as long as they may leave the chain."""
        deep = max((head.number for head in fresh), default=0) - self._chain.confirmations
        over = gone | {name for name, row in told.items() if row["number"] < deep}
        kept = [{"part": PART, "key": name, "state": told[name]} for name in told.keys() - over]
        upsert(connection, memory, kept)
        connection.execute(memory.delete().where(memory.c.part == PART, memory.c.key.in_(over)))
