"""The audit chain: who changed what and when, each entry sealed by the hash of the one before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from serving.store.tables import audit, audit_head

__all__ = ["GENESIS", "record", "verify"]

GENESIS = "0" * 64
"""What the first entry names as the hash of the one before."""


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
    head = connection.execute(sa.select(audit_head).with_for_update()).one_or_none()
    number, previous = (head.number + 1, head.hash) if head else (1, GENESIS)
    entry = {"at": now, "who": who, "what": what, "subject": subject, "detail": dict(detail)}
    seal = _seal(number, previous, entry)
    connection.execute(audit.insert().values(number=number, previous=previous, hash=seal, **entry))
    change = {"number": number, "hash": seal}
    if head:
        connection.execute(audit_head.update().values(change))
    else:
        connection.execute(audit_head.insert().values(id=1, **change))
    return seal


def verify(connection: sa.Connection) -> str | None:
    """What is wrong with the chain, in one sentence; None when every entry is as it was written."""
    previous, number = GENESIS, 0
    for row in connection.execute(sa.select(audit).order_by(audit.c.number)):
        number += 1
        if row.number != number:
            return f"entry {number} is missing"
        entry = {name: getattr(row, name) for name in ("at", "who", "what", "subject", "detail")}
        if row.previous != previous:
            return f"entry {number} does not follow the one before it"
        if _seal(number, previous, entry) != row.hash:
            return f"entry {number} was changed after it was written"
        previous = row.hash
    head = connection.execute(sa.select(audit_head)).one_or_none()
    if (head.number, head.hash) != (number, previous) if head else number:
        return f"the last entries are missing: {number} are there"
    return None


def _seal(number: int, previous: str, entry: Mapping[str, Any]) -> str:
    document = {"number": number, "previous": previous, **entry}
    options = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
    return hashlib.sha256(orjson.dumps(document, option=options)).hexdigest()
