"""The audit chain: who changed what and when, each entry sealed by the hash of the one before.

Whoever can write the whole database could write the whole chain anew: keep the head's hash
elsewhere from time to time, and give it to `verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from serving.store.tables import audit, audit_head

__all__ = ["GENESIS", "head", "record", "verify"]

GENESIS = "0" * 64
"""What the first entry names as the hash of the one before."""

AT_ONCE = 1_000


def record(
    connection: sa.Connection,
    *,
    who: str,
    what: str,
    subject: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> str:
    """Append an entry in the caller's transaction, so that it stands or falls with the change.

    Parameters
    ----------
    who : str
        A user, an API key's name, or the part of the system that acted.
    what : str
        The change, such as ``alert.acknowledged``.
    subject : str
        Id of what was changed.
    detail : mapping
        JSON-able particulars; never a secret.

    Returns
    -------
    str
        Hash of the entry: SHA-256, hexadecimal.
    """
    # The head's row is locked until the transaction ends: one chain, however many writers.
    locked = sa.select(audit_head).with_for_update()
    newest = connection.execute(locked).one_or_none()
    if newest is None:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        first = insert(audit_head).values(id=1, number=0, hash=GENESIS)
        connection.execute(first.on_conflict_do_nothing())
        newest = connection.execute(locked).one()
    number, previous = newest.number + 1, newest.hash
    # As it will be read back: times in UTC, tuples as lists.
    entry = {
        "at": now.astimezone(UTC),
        "who": who,
        "what": what,
        "subject": subject,
        "detail": orjson.loads(orjson.dumps(dict(detail))),
    }
    seal = _seal(number, previous, entry)
    connection.execute(audit.insert().values(number=number, previous=previous, hash=seal, **entry))
    connection.execute(audit_head.update().values(number=number, hash=seal))
    return seal


def head(connection: sa.Connection) -> tuple[int, str]:
    """How many entries there are, and the hash of the newest; `GENESIS` for none."""
    newest = connection.execute(sa.select(audit_head)).one_or_none()
    return (newest.number, newest.hash) if newest else (0, GENESIS)


def verify(connection: sa.Connection, known: tuple[int, str] | None = None) -> str | None:
    """What is wrong with the chain, in one sentence; None when every entry is as it was written.

    Parameters
    ----------
    known : tuple of (int, str), optional
        A head that was kept elsewhere: the entry of that number must still have that hash.
    """
    # One statement: entries and head as of one moment, whoever writes meanwhile.
    whole = sa.select(
        audit, audit_head.c.number.label("last"), audit_head.c.hash.label("newest")
    ).select_from(audit.outerjoin(audit_head, sa.true()))
    in_order = whole.order_by(audit.c.number).execution_options(yield_per=AT_ONCE)
    previous, number = GENESIS, 0
    # None where the head is gone.
    newest: tuple[int | None, str | None] = head(connection)
    with connection.execute(in_order) as rows:
        for row in rows:
            number += 1
            if fault := _fault(row, number, previous, known):
                return fault
            previous, newest = row.hash, (row.last, row.newest)
    last = newest[0] or 0
    if number > last:
        return f"entries after {last} are not on record: {number} are there"
    if number < last or (known and number < known[0]):
        return f"the last entries are missing: {number} are there"
    return None if newest[1] == previous else f"the head does not name entry {number}"


def _fault(
    row: sa.Row[Any], number: int, previous: str, known: tuple[int, str] | None
) -> str | None:
    if row.number != number:
        return f"entry {number} is missing"
    if row.previous != previous:
        return f"entry {number} does not follow the one before it"
    entry = {name: getattr(row, name) for name in ("at", "who", "what", "subject", "detail")}
    if _seal(number, previous, entry) != row.hash:
        return f"entry {number} was changed after it was written"
    if known and number == known[0] and row.hash != known[1]:
        return f"entry {number} is not the one that was known: the chain was written anew"
    return None


def _seal(number: int, previous: str, entry: Mapping[str, Any]) -> str:
    document = {"number": number, "previous": previous, **entry}
    options = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
    return hashlib.sha256(orjson.dumps(document, option=options)).hexdigest()
