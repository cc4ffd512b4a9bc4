"""Signed links: one person, one step, until a time; whatever is changed in one is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.playbooks.links import Link, follow, opened, signed
from serving.playbooks.people import RunError
from serving.store.tables import users
from tests.serving.playbooks.running import NOON, Drive, playbook

SECRET = b"k" * 32
LINK = Link("run1", "pause", "bob", NOON + timedelta(minutes=15))
TOKEN = signed(SECRET, LINK)


def test_a_link_says_what_it_allows_until_it_expires() -> None:
    assert opened(SECRET, TOKEN, now=NOON) == LINK
    with pytest.raises(RunError, match="expired at 12:15 UTC"):
        opened(SECRET, TOKEN, now=LINK.until)


def test_another_house_cannot_sign() -> None:
    with pytest.raises(RunError, match="not one of ours"):
        opened(b"z" * 32, TOKEN, now=NOON)
    with pytest.raises(ValueError, match="at least 32"):
        signed(b"short", LINK)


@settings(max_examples=60)
@given(st.integers(0, len(TOKEN) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_changed_link_is_refused_or_the_same(place: int, letter: str) -> None:
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    try:
        found = opened(SECRET, changed, now=NOON)
    except RunError:
        return
    assert found == LINK


@given(st.text(max_size=60))
def test_no_text_opens_anything(text: str) -> None:
    with pytest.raises(RunError):
        opened(SECRET, text, now=NOON)


def test_a_link_approves_once_for_who_is_still_there(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    token = signed(SECRET, LINK._replace(run=drive.run))
    with engine.begin() as connection, pytest.raises(RunError, match="nobody here"):
        follow(connection, SECRET, token, now=drive.now)
    row = {"name": "bob", "password_hash": "x", "role": "responder", "created_at": NOON}
    with engine.begin() as connection:
        connection.execute(users.insert().values(**row))
    with engine.begin() as connection:
        follow(connection, SECRET, token, now=drive.now)
    with engine.begin() as connection, pytest.raises(RunError, match="waits for approval"):
        follow(connection, SECRET, token, now=drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "off"
