"""Keys, people and the audit chain from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from pipeline.config import read_config
from pipeline.database import open_engine
from pipeline.files import InputError
from serving.cli import app

CONFIG = "home: house\nsources:\n  - {kind: host, name: this}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tocsin.yaml").write_text(CONFIG)


def say(*words: str, code: int = 0, **more: object) -> str:
    """What a command prints."""
    result = CliRunner().invoke(app, list(words), **more)  # type: ignore[arg-type]
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.stdout


def test_a_key_is_made_listed_without_its_secret_and_ended() -> None:
    key = say("keys", "make", "prometheus", "viewer", "--days", "30").strip()
    _, public, secret = key.split("_", 2)
    listed = say("keys", "list", "--json")
    assert secret not in listed
    (row,) = json.loads(listed)
    assert (row["id"], row["role"], row["revoked_at"]) == (public, "viewer", None)
    say("keys", "revoke", public)
    assert "revoked" in say("keys", "list")


def test_a_person_is_set_with_a_password_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TOCSIN_PASSWORD", raising=False)
    password = "correct horse battery"
    out = say("users", "set", "ann", "admin", input=f"{password}\n{password}\n")
    assert password not in out
    monkeypatch.setenv("TOCSIN_PASSWORD", password)
    say("users", "set", "bob", "viewer")


def test_the_head_of_the_chain_is_told_and_held_against_it_later() -> None:
    say("keys", "make", "a", "viewer")
    early = json.loads(say("audit", "verify", "--json"))
    assert (early["fault"], early["entries"]) == (None, 1)
    say("keys", "make", "b", "viewer")
    told = say("audit", "verify", "--known", early["head"])
    assert "entries: 2" in told
    assert "head: 2:" in told
    other = f"1:{'0' * 64}"
    assert "written anew" in say("audit", "verify", "--known", other, code=1)
    assert "are missing" in say("audit", "verify", "--known", f"9:{'0' * 64}", code=1)
    mistaken = CliRunner().invoke(app, ["audit", "verify", "--known", "now"])
    assert isinstance(mistaken.exception, InputError)


def test_the_chain_is_whole_until_somebody_changes_it() -> None:
    say("keys", "make", "a", "viewer")
    assert "as it was written" in say("audit", "verify")
    engine = open_engine(read_config(Path("tocsin.yaml")).store_url)
    with engine.begin() as connection:
        triggers = sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in connection.execute(triggers).all():
            connection.execute(sa.text(f"DROP TRIGGER {name}"))
        connection.execute(sa.text("UPDATE audit SET who = 'eve'"))
    engine.dispose()
    assert "was changed" in say("audit", "verify", code=1)
