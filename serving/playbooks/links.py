"""Signed links: a person approves a step from a message, once, until the link expires."""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from serving.playbooks.people import approve
from serving.playbooks.rows import Row, RunError
from serving.store.keys import Principal, Role
from serving.store.tables import users

__all__ = ["LASTS", "Link", "follow", "house_secret", "opened", "signed"]

LASTS = timedelta(hours=1)
"""How long a link can be used."""


class Link(NamedTuple):
    """What a link lets one person do: approve one step, until a time."""

    run: str
    step: str
    person: str
    until: datetime


def house_secret(home: Path) -> bytes:
    """What this house signs with: 32 random bytes in ``home/links.key``, made when first asked for.

    The file is for its owner alone; without it no link that was given out works any more.
    """
    file = home / "links.key"
    with suppress(FileExistsError):
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "wb") as made:
            made.write(secrets.token_bytes(32))
    return file.read_bytes()


def signed(secret: bytes, link: Link) -> str:
    """The token of a link: what it allows, and an HMAC-SHA-256 of it; safe in a URL.

    Parameters
    ----------
    secret : bytes
        At least 32, known to this house alone.

    Raises
    ------
    ValueError
        The secret is too short.
    """
    if len(secret) < 32:
        raise ValueError(f"secret has {len(secret)} bytes; expected at least 32")
    told = [link.run, link.step, link.person, int(link.until.timestamp())]
    content = json.dumps(told, separators=(",", ":")).encode()
    return f"{_text(content)}.{_text(_seal(secret, content))}"


def opened(secret: bytes, token: str, *, now: datetime) -> Link:
    """What a token allows.

    Raises
    ------
    RunError
        It was not signed here, was changed, or has expired.
    """
    content, _, seal = token.partition(".")
    try:
        said, proof = _bytes(content), _bytes(seal)
    except ValueError:
        said, proof = b"", b""
    if not hmac.compare_digest(_seal(secret, said), proof):
        raise RunError("the link is not one of ours")
    run, step, person, until = json.loads(said)
    link = Link(run, step, person, datetime.fromtimestamp(until, UTC))
    if link.until <= now:
        raise RunError(f"the link expired at {link.until:%H:%M UTC}")
    return link


def follow(connection: sa.Connection, secret: bytes, token: str, *, now: datetime) -> Row:
    """Approve as the person that the link was made for, with the role that they have now.

    Raises
    ------
    RunError
        As `opened`, as `serving.playbooks.people.approve`, or the person is gone.
    """
    link = opened(secret, token, now=now)
    wanted = sa.select(users).where(users.c.name == link.person, users.c.disabled_at.is_(None))
    user = connection.execute(wanted).one_or_none()
    if user is None:
        raise RunError(f"{link.person} is nobody here any more")
    principal = Principal(user.name, Role(user.role))
    return approve(connection, link.run, link.step, principal, now=now)


def _seal(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, b"tocsin approval link 1\x1f" + content, "sha256")


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
