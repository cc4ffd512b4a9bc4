"""API keys: shown once, limited by role, over when they expire or are revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.store.audit import verify
from serving.store.keys import Role, UnknownKeyError, check_key, list_keys, make_key, revoke_key
from serving.store.tables import api_keys, audit

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _make(engine: sa.Engine, **options: object) -> str:
    with engine.begin() as connection:
        return make_key(connection, "bot", Role.OPERATOR, who="ann", now=NOON, **options)  # type: ignore[arg-type]


def _allowed(engine: sa.Engine, key: str, now: datetime = NOON) -> bool:
    with engine.connect() as connection:
        return check_key(connection, key, now=now) is not None


def test_a_key_names_whoever_has_it_with_its_role(store: sa.Engine) -> None:
    key = _make(store, per_minute=60)
    with store.connect() as connection:
        principal = check_key(connection, key, now=NOON)
    assert principal is not None
    assert (principal.name, principal.role, principal.per_minute) == ("key:bot", "operator", 60)


def test_only_the_whole_key_is_the_key(store: sa.Engine) -> None:
    key, other = _make(store), _make(store)
    prefix, public, secret = key.split("_", 2)
    wrong = [
        "",
        "_",
        "toc",
        key[:-1],
        key + "x",
        key.upper(),
        f"{prefix}_{public}_",
        f"{prefix}_{public}",
        f"tok_{public}_{secret}",
        f"{prefix}_{other.split('_')[1]}_{secret}",
        f"{prefix}_nobody_{secret}",
        f"{prefix}_a\0b_{secret}",
        f"{prefix}_{public}_\ud800",
    ]
    assert [given for given in wrong if _allowed(store, given)] == []
    assert _allowed(store, key)


def test_a_key_ends_when_it_expires_and_when_it_is_revoked(store: sa.Engine) -> None:
    key = _make(store, expires_at=NOON + timedelta(hours=1))
    assert _allowed(store, key, NOON + timedelta(minutes=59))
    assert not _allowed(store, key, NOON + timedelta(hours=1))
    other = _make(store)
    with store.begin() as connection:
        revoke_key(connection, other.split("_")[1], who="ann", now=NOON)
    assert not _allowed(store, other)
    with store.begin() as connection, pytest.raises(UnknownKeyError, match="no key"):
        revoke_key(connection, other.split("_")[1], who="ann", now=NOON)


def test_nothing_that_is_kept_or_listed_gives_a_key_away(store: sa.Engine) -> None:
    secret = _make(store).split("_", 2)[2]
    with store.connect() as connection:
        kept = [connection.execute(sa.select(table)).all() for table in (api_keys, audit)]
        listed = list_keys(connection)
        assert verify(connection) is None
    assert secret not in str(kept)
    assert "secret_hash" not in listed[0]


def test_a_role_may_what_the_ones_before_it_may() -> None:
    roles = list(Role)
    assert [[role.may(needed) for needed in roles] for role in roles] == [
        [j <= i for j in range(len(roles))] for i in range(len(roles))
    ]
