"""People and sessions: who may sign in, what ends a session, what is never kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.store import users as module
from serving.store.audit import verify
from serving.store.keys import Role
from serving.store.tables import audit, sessions, users
from serving.store.users import (
    LIFE,
    Session,
    UserError,
    check_session,
    end_session,
    set_user,
    sign_in,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real cost is a quarter of a second for each password."""
    monkeypatch.setitem(module.COST, "n", 2**4)


@pytest.fixture
def ann(store: sa.Engine) -> sa.Engine:
    with store.begin() as connection:
        set_user(connection, "ann", PASSWORD, Role.RESPONDER, who="root", now=NOON)
    return store


def _sign_in(engine: sa.Engine, name: str, password: str, now: datetime = NOON) -> Session | None:
    return sign_in(engine, name, password, now=now)


def during_the_hash(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have something happen while a password is hashed."""
    hashed = module._scrypt

    def slow(password: str, salt: bytes | None = None) -> str:
        act()
        return hashed(password, salt)

    monkeypatch.setattr(module, "_scrypt", slow)


def test_a_session_is_that_of_its_owner_until_it_ends(ann: sa.Engine) -> None:
    session = _sign_in(ann, "ann", PASSWORD)
    assert session is not None
    with ann.begin() as connection:
        principal, csrf = check_session(connection, session.token, now=NOON) or (None, "")
        assert principal == session.principal
        assert csrf == session.csrf
        assert (session.principal.name, session.principal.role) == ("ann", Role.RESPONDER)
        assert check_session(connection, session.token, now=NOON + LIFE) is None
        assert check_session(connection, session.token + "x", now=NOON) is None
        end_session(connection, session.principal, now=NOON)
        assert check_session(connection, session.token, now=NOON) is None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong"),
        ("ann", ""),
        ("bob", PASSWORD),
        ("a\0nn", PASSWORD),
        ("", ""),
        ("\ud800", ""),
    ],
)
def test_a_wrong_name_or_password_opens_nothing_and_is_on_record(
    ann: sa.Engine, name: str, password: str
) -> None:
    assert _sign_in(ann, name, password) is None
    with ann.connect() as connection:
        refused = sa.select(audit.c.who).where(audit.c.what == "session.refused")
        assert connection.execute(refused).scalar_one() in ("ann", "bob", "?")
        assert not connection.execute(sa.select(sessions)).all()
        assert verify(connection) is None


def test_another_password_ends_the_sessions_of_the_old_one(ann: sa.Engine) -> None:
    session = _sign_in(ann, "ann", PASSWORD)
    assert session is not None
    with ann.begin() as connection:
        set_user(connection, "ann", PASSWORD[::-1], Role.ADMIN, who="root", now=NOON)
        assert check_session(connection, session.token, now=NOON) is None
    assert _sign_in(ann, "ann", PASSWORD) is None
    assert _sign_in(ann, "ann", PASSWORD[::-1]) is not None


def test_somebody_who_is_disabled_is_out_at_once(ann: sa.Engine) -> None:
    session = _sign_in(ann, "ann", PASSWORD)
    assert session is not None
    with ann.begin() as connection:
        connection.execute(users.update().values(disabled_at=NOON))
        assert check_session(connection, session.token, now=NOON) is None
    assert _sign_in(ann, "ann", PASSWORD) is None


def test_others_write_while_a_password_is_hashed(
    ann: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote = []

    def another() -> None:
        with ann.begin() as connection:
            wrote.append(connection.execute(users.update().values(role=Role.RESPONDER.value)))

    during_the_hash(monkeypatch, another)
    assert _sign_in(ann, "ann", PASSWORD) is not None
    assert len(wrote) == 1


def test_who_is_disabled_while_the_password_is_hashed_stays_out(
    ann: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disabled() -> None:
        with ann.begin() as connection:
            connection.execute(users.update().values(disabled_at=NOON))

    during_the_hash(monkeypatch, disabled)
    assert _sign_in(ann, "ann", PASSWORD) is None


def test_old_sessions_are_swept_away(ann: sa.Engine) -> None:
    _sign_in(ann, "ann", PASSWORD)
    _sign_in(ann, "ann", PASSWORD, NOON + LIFE + timedelta(seconds=1))
    with ann.connect() as connection:
        assert len(connection.execute(sa.select(sessions)).all()) == 1


def test_neither_password_nor_token_is_kept(ann: sa.Engine) -> None:
    session = _sign_in(ann, "ann", PASSWORD)
    assert session is not None
    with ann.connect() as connection:
        kept = [str(connection.execute(sa.select(t)).all()) for t in (users, sessions, audit)]
    assert not any(PASSWORD in text or session.token in text for text in kept)


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [
        ("ann smith", PASSWORD, "name is 'ann smith'"),
        ("key:bot", PASSWORD, "name is 'key:bot'"),
        ("x" * 65, PASSWORD, "at most 64"),
        ("ann", "short", "at least 12 characters"),
    ],
)
def test_what_is_no_name_and_no_password_is_refused(
    store: sa.Engine, name: str, password: str, told: str
) -> None:
    with store.begin() as connection, pytest.raises(UserError, match=told):
        set_user(connection, name, password, Role.VIEWER, who="root", now=NOON)
