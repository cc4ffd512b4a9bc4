"""People and their sessions: passwords as scrypt hashes, session tokens as SHA-256 hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from pipeline.database import reading, upsert
from serving.store.audit import record
from serving.store.keys import Principal, Role
from serving.store.tables import sessions, users

__all__ = ["Session", "UserError", "check_session", "end_session", "set_user", "sign_in"]

LIFE = timedelta(hours=12)
SHORTEST, LONGEST = 12, 64
# OWASP Password Storage Cheat Sheet: scrypt with N=2^17, r=8, p=1.
COST = {"n": 2**17, "r": 8, "p": 1, "maxmem": 2**28}


class UserError(ValueError):
    """A user that cannot be made or changed so."""


@dataclass(frozen=True)
class Session:
    """A session as its owner holds it: ``token`` for the cookie, ``csrf`` for each change."""

    token: str
    csrf: str
    principal: Principal


def set_user(
    connection: sa.Connection, name: str, password: str, role: Role, *, who: str, now: datetime
) -> None:
    """Make a user, or give one another password and role; their sessions end.

    Raises
    ------
    UserError
        The name or password will not do.
    """
    if not _possible(name):
        raise UserError(f"name is {name!r}; expected letters, digits and _, at most {LONGEST}")
    if len(password) < SHORTEST:
        raise UserError(f"the password is too short; expected at least {SHORTEST} characters")
    row = {
        "name": name,
        "password_hash": _scrypt(password),
        "role": role.value,
        "created_at": now,
        "disabled_at": None,
    }
    upsert(connection, users, [row], keep=["created_at"])
    connection.execute(sessions.delete().where(sessions.c.user == name))
    detail = {"role": role.value}
    record(connection, who=who, what="user.set", subject=name, detail=detail, now=now)


def sign_in(engine: sa.Engine, name: str, password: str, *, now: datetime) -> Session | None:
    """A new session; None for a wrong name or password, which take the same time.

    The password is hashed while no transaction is open, so that no other writer waits for it.
    """
    possible = _possible(name)
    wanted = sa.select(users).where(users.c.name == name)
    row = None
    if possible:
        with reading(engine) as connection:
            row = connection.execute(wanted).one_or_none()
    right = _matches(password, row.password_hash if row else _NOBODY)
    with engine.begin() as connection:
        # Who got another password or was disabled meanwhile is not who was asked.
        same = right and connection.execute(wanted).one_or_none() == row
        if row is None or not same or row.disabled_at is not None:
            # What anybody may type goes into the chain only if it could be a name.
            who = name if possible else "?"
            record(connection, who=who, what="session.refused", subject="", detail={}, now=now)
            return None
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        connection.execute(sessions.delete().where(sessions.c.expires_at <= now))
        connection.execute(
            sessions.insert().values(
                token_hash=_digest(token), user=name, csrf=csrf, expires_at=now + LIFE
            )
        )
        record(connection, who=name, what="session.begun", subject=name, detail={}, now=now)
    return Session(token, csrf, Principal(name, Role(row.role), session=_digest(token)))


def check_session(
    connection: sa.Connection, token: str, *, now: datetime
) -> tuple[Principal, str] | None:
    """Whose session this is, and the CSRF token that its changes must carry."""
    found = connection.execute(
        sa.select(sessions, users.c.role)
        .join(users, users.c.name == sessions.c.user)
        .where(
            sessions.c.token_hash == _digest(token),
            sessions.c.expires_at > now,
            users.c.disabled_at.is_(None),
        )
    ).one_or_none()
    if found is None:
        return None
    return Principal(found.user, Role(found.role), session=found.token_hash), found.csrf


def end_session(connection: sa.Connection, principal: Principal, *, now: datetime) -> None:
    """Sign out."""
    connection.execute(sessions.delete().where(sessions.c.token_hash == principal.session))
    name = principal.name
    record(connection, who=name, what="session.ended", subject=name, detail={}, now=now)


def _possible(name: str) -> bool:
    return name.isidentifier() and len(name) <= LONGEST


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _scrypt(password: str, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    derived = hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, dklen=32, **COST)
    return f"{base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def _matches(password: str, known: str) -> bool:
    salt = base64.b64decode(known.partition("$")[0])
    return hmac.compare_digest(known, _scrypt(password, salt))


# What a name that nobody has is compared with.
_NOBODY = f"{base64.b64encode(bytes(16)).decode()}${base64.b64encode(bytes(32)).decode()}"
