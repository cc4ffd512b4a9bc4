"""What earlier blocks told of accounts: who is new, what is new, and who was paid by whom.

A fact counts for `REACH` blocks and is then forgotten, so that what a row says follows from the
chain alone: any process that reads a block again says the same. Told is what is certain. An account
is known from its transaction with nonce 0 on; whoever began before has an unknown age, null. The
file is an index and holds nothing that the chain does not: where it is lost, or is of another
chain, it is made anew.
"""

from __future__ import annotations

import sqlite3
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from features.transactions import TRANSACTIONS
from pipeline.sources.chain_rows import MOVES, Mined, Watched, lasting, transaction_rows
from pipeline.sources.source import SourceError

__all__ = ["LABELS", "REACH", "Past"]

REACH = 50_400
"""Blocks for which a fact counts: a week of Ethereum."""
SLACK = 1_024
"""Blocks kept beyond that: a step that is done again reads blocks that were learned before."""
LABELS = ("mixer", "bridge", "contract", "account", "exchange")
"""What can have paid an account; the one that is hardest to see behind first."""
CREATES = {"CREATE", "CREATE2"}

TABLES = """
create table if not exists blocks (number integer primary key, hash text);
create table if not exists paid (account text, label text, block integer,
  primary key (account, label)) without rowid;
create table if not exists sent (account text primary key, block integer, place integer,
  time real, funder text) without rowid;
create table if not exists made (account text primary key, block integer, place integer,
  time real) without rowid;
create table if not exists met (account text, address text, block integer, place integer,
  primary key (account, address)) without rowid;
"""
FACTS = ("paid", "sent", "made", "met")
KNOWN = {
    column.name: column.type
    for column in TRANSACTIONS.columns
    if column.name in ("first_call", "sender_age", "contract_age", "funder")
}


class Past:
    """First transactions, first payments, creations and first meetings, by account.

    Parameters
    ----------
    file : Path, optional
        Where it is kept; by default in memory.
    watched : mapping of address to Watched, or None
        As `chain_rows.transaction_rows`; another one begins the index anew.
    labels : mapping of str to str
        Of known accounts, in lower case: ``mixer``, ``bridge`` or ``exchange``.
    reach : int
        For how many blocks a fact counts.
    """

    def __init__(
        self,
        file: Path | None,
        watched: Mapping[str, Watched] | None,
        labels: Mapping[str, str],
        *,
        reach: int = REACH,
    ) -> None:
        self._file, self._watched, self._labels, self._reach = file, watched, dict(labels), reach
        made_for = [reach, sorted(watched or [""]), sorted(labels.items())]
        self._version = zlib.crc32(repr(made_for).encode()) & 0x7FFFFFFF
        self._opened: sqlite3.Connection | None = None

    def since(self, mined: Sequence[Mined], start: int) -> int:
        """The block from which to learn before these blocks, which follow each other, can be told.

        Parameters
        ----------
        start : int
            The chain's first block for its follower: nothing before it is known.
        """
        ask, first = self._base.execute, mined[0].number
        wanted = max(start, self._from(first))
        lowest = ask("select min(number) from blocks").fetchone()[0]
        newest = ask("select max(number) from blocks").fetchone()[0]
        if newest is not None:
            below, upto = first - 1, mined[-1].number
            stored = ask("select * from blocks where number between ? and ?", (below, upto))
            hashes = {below: mined[0].parent} | {block.number: block.hash for block in mined}
            same = all(hashes[number] == text for number, text in stored)
            if same and lowest <= wanted <= newest + 1 and newest - first < SLACK:
                return int(min(newest + 1, first))
        self._clear()
        return wanted

    def learn(self, mined: Sequence[Mined]) -> None:
        """Take in blocks that follow each other; those that are known already change nothing.

        Raises
        ------
        SourceError
            The first does not follow what was learned: the chain is another one now.
        """
        base = self._base
        with base:
            newest = base.execute("select max(number) from blocks").fetchone()[0]
            for block in mined:
                if newest is not None and block.number <= newest:
                    continue
                self._follow(block)
                for index in range(len(block.block.transactions)):
                    self._learn(block, index)
            if newest is not None and newest // SLACK < mined[-1].number // SLACK:
                # What is out of reach does not count, so that forgetting it can be put off.
                oldest = self._from(mined[0].number) - SLACK
                base.execute("delete from blocks where number < ?", (oldest,))
                for table in FACTS:
                    base.execute(f"delete from {table} where block < ?", (oldest,))

    def rows(self, mined: Mined) -> pl.DataFrame:
        """Rows of `TRANSACTIONS` of a block that was learned, with what is known of accounts.

        A contract made by an account that a mixer paid is a row of its own, watched or not: that
        is how an attack is prepared.
        """
        watched = self._watched
        if watched is not None:
            watched = {made: Watched(made) for made in self._suspects(mined)} | dict(watched)
        rows = transaction_rows(mined, watched)
        known = [self._told(mined, row) for row in rows.iter_rows(named=True)]
        return rows.with_columns(pl.DataFrame(known, schema=KNOWN, orient="row"))

    def close(self) -> None:
        """Close the file; it opens again when asked."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    @property
    def _base(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self._opened = self._open()
            except sqlite3.DatabaseError as error:
                # Damaged, and not merely out of reach.
                if self._file is None or isinstance(error, sqlite3.OperationalError):
                    raise
                self._file.unlink(missing_ok=True)
                self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        base = sqlite3.connect(self._file or ":memory:", check_same_thread=False)
        # Whoever forgets to close it leaves nothing open.
        weakref.finalize(self, base.close)
        base.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + TABLES)
        if base.execute("pragma user_version").fetchone()[0] != self._version:
            _empty(base)
            base.execute(f"pragma user_version = {self._version}")
        return base

    def _clear(self) -> None:
        _empty(self._base)

    def _from(self, number: int) -> int:
        """The first block that matters: who paid matters so long before a first transaction."""
        return number - 2 * self._reach

    def _follow(self, block: Mined) -> None:
        """Take down a block's name, if it is the child of the one before it."""
        before = self._base.execute("select hash from blocks where number = ?", (block.number - 1,))
        if (found := before.fetchone()) and found[0] != block.parent:
            self._clear()
            raise SourceError(
                f"block {block.number} has the parent {block.parent}; expected {found[0]}: "
                "what was known of accounts is learned again"
            )
        self._base.execute("insert into blocks values (?, ?)", (block.number, block.hash))

    def _learn(self, block: Mined, index: int) -> None:
        do, number, at = self._base.execute, block.number, block.block.time.timestamp()
        sent, receipt = block.block.transactions[index], block.receipts[index]
        if sent.nonce == 0:
            first = (sent.sender, number, index, at, self._paid_by(sent.sender, block))
            do("insert or ignore into sent values (?, ?, ?, ?, ?)", first)
        if self._sent(sent.sender, block, index):
            meets = [(sent.sender, to, number, index) for to in block.about(index, self._watched)]
            self._base.executemany("insert or ignore into met values (?, ?, ?, ?)", meets)
        made = {receipt.created} if receipt.created and receipt.success else set()
        for call in lasting(block.traces[index]) if block.traces else ():
            if call.to and call.kind in CREATES:
                made.add(call.to)
            if call.to and call.value and call.kind in MOVES and call.to != call.sender:
                label = self._labels.get(call.sender) or ("contract" if call.depth else "account")
                do("insert or replace into paid values (?, ?, ?)", (call.to, label, number))
        new = [(account, number, index, at) for account in sorted(made)]
        self._base.executemany("insert or ignore into made values (?, ?, ?, ?)", new)

    def _paid_by(self, account: str, block: Mined) -> str | None:
        """The kind of account, hardest to see behind first, of all that have paid this one."""
        wanted = "select label from paid where account = ? and block > ?"
        found = {
            row[0] for row in self._base.execute(wanted, (account, block.number - self._reach))
        }
        return next((label for label in LABELS if label in found), None)

    def _sent(self, account: str, block: Mined, index: int) -> tuple[float, str | None] | None:
        """Time of an account's first transaction, and who paid it; None where that is not known."""
        wanted = "select time, funder from sent where account = ?"
        found: tuple[float, str | None] | None = self._known(wanted, account, block, index)
        return found

    def _known(self, wanted: str, account: str, block: Mined, index: int) -> Any:
        """What was known of an account when a transaction was made."""
        within = " and block > ? and (block, place) <= (?, ?)"
        until = (account, block.number - self._reach, block.number, index)
        return self._base.execute(wanted + within, until).fetchone()

    def _suspects(self, mined: Mined) -> Iterator[str]:
        """Contracts that the block makes for accounts that a mixer paid."""
        for sent, receipt in zip(mined.block.transactions, mined.receipts, strict=True):
            if receipt.created and receipt.success:
                first = self._sent(sent.sender, mined, sent.index)
                if first is not None and first[1] == "mixer":
                    yield receipt.created

    def _told(self, mined: Mined, row: Mapping[str, Any]) -> list[Any]:
        """The columns of `KNOWN` of a row."""
        index, at = row["index"], mined.block.time.timestamp()
        first = self._sent(row["sender"], mined, index)
        made = self._known(
            "select time from made where account = ?", row["to"] or row["created"], mined, index
        )
        call = None
        if first is not None:
            pair = "select block, place from met where account = ? and address = ?"
            met = self._base.execute(pair, (row["sender"], row["address"])).fetchone()
            call = met is None or met == (mined.number, index)
        age = None if first is None else at - first[0]
        return [call, age, None if made is None else at - made[0], first and first[1]]


def _empty(base: sqlite3.Connection) -> None:
    with base:
        for table in ("blocks", *FACTS):
            base.execute(f"delete from {table}")
