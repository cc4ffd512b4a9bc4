"""API keys: shown once, kept as a hash, scoped by role, expiring, revocable."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from serving.store.audit import record
from serving.store.tables import api_keys

__all__ = [
    "Principal",
    "Role",
    "UnknownKeyError",
    "check_key",
    "list_keys",
    "make_key",
    "revoke_key",
]

PREFIX = "toc"
PER_MINUTE = 6_000


class Role(StrEnum):
    """What somebody may do; each may do what the ones before it may.

    >>> Role.RESPONDER.may(Role.OPERATOR), Role.VIEWER.may(Role.OPERATOR)
    (True, False)
    """

    VIEWER = "viewer"  # reads
    OPERATOR = "operator"  # sends events, asks for scores, acknowledges alerts
    RESPONDER = "responder"  # silences, approves and signs off steps, closes incidents
    ADMIN = "admin"  # people, keys, what needs an admin's approval

    def may(self, needed: Role) -> bool:
        """Whether this role is enough."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


class UnknownKeyError(ValueError):
    """A key that was asked for does not exist."""


@dataclass(frozen=True)
class Principal:
    """Who asks.

    Parameters
    ----------
    name : str
        As the audit chain names them: ``key:<name>`` or a user's name.
    role : Role
    per_minute : int
        How many requests they may make.
    session : str
        Hash of the session's token; empty for a key.
    """

    name: str
    role: Role
    per_minute: int = PER_MINUTE
    session: str = ""


def make_key(
    connection: sa.Connection,
    name: str,
    role: Role,
    *,
    who: str,
    now: datetime,
    expires_at: datetime | None = None,
    per_minute: int = PER_MINUTE,
) -> str:
    """Make a key and return it; it cannot be read again.

    Returns
    -------
    str
        ``toc_<public part>_<secret>``; the secret has 256 bits.
    """
    public, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    connection.execute(
        api_keys.insert().values(
            id=public,
            name=name,
            secret_hash=_hash(secret),
            role=role.value,
            scopes={},
            per_minute=per_minute,
            created_at=now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )
    detail = {"name": name, "role": role.value}
    record(connection, who=who, what="key.made", subject=public, detail=detail, now=now)
    return f"{PREFIX}_{public}_{secret}"


def check_key(connection: sa.Connection, given: str, *, now: datetime) -> Principal | None:
    """Whose key this is; None for one that is unknown, wrong, expired or revoked."""
    prefix, _, rest = given.partition("_")
    public, _, secret = rest.partition("_")
    row = None
    if public.isalnum():
        row = connection.execute(sa.select(api_keys).where(api_keys.c.id == public)).one_or_none()
    # Compared also when there is no such key, so that the time tells nothing.
    known = row.secret_hash if row else _hash("")
    right = hmac.compare_digest(known, _hash(secret))
    if row is None or not right or prefix != PREFIX:
        return None
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return Principal(f"key:{row.name}", Role(row.role), row.per_minute)


def revoke_key(connection: sa.Connection, public: str, *, who: str, now: datetime) -> None:
    """End a key.

    Raises
    ------
    UnknownKeyError
        There is no such key, or it is revoked.
    """
    ended = connection.execute(
        api_keys.update()
        .where(api_keys.c.id == public, api_keys.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    if not ended.rowcount:
        raise UnknownKeyError(f"no key {public} that is in use")
    record(connection, who=who, what="key.revoked", subject=public, detail={}, now=now)


def list_keys(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every key without what could be used to guess it."""
    shown = [column for column in api_keys.columns if column.name != "secret_hash"]
    return [dict(row) for row in connection.execute(sa.select(*shown)).mappings()]


def _hash(secret: str) -> str:
    # A secret of 256 random bits needs no slow hash.
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
