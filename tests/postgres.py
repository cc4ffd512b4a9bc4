"""A PostgreSQL server for tests: made once a session, one empty database a test.

Use it in a `conftest.py` or a test file by `from tests.postgres import postgres, postgres_url`.
Without a server on this machine the tests that ask for it are skipped with the reason; where
``CI=true`` they fail instead.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

__all__ = ["postgres", "postgres_url"]

UNPRIVILEGED = "postgres", "nobody"
numbers = count(1)


def _binary(name: str) -> str | None:
    """The newest version that Debian has installed, else what is on the path."""
    found = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"),
        key=lambda p: int(p.parts[4].split(".")[0]),
    )
    return str(found[-1]) if found else shutil.which(name)


def _missing(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _as_user(folder: Path) -> dict[str, object]:
    """The server refuses to run as root: who runs it then, with a folder of their own."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next((names[name] for name in UNPRIVILEGED if name in names), None)
    if user is None:
        _missing("PostgreSQL does not run as root, and there is no user postgres or nobody")
    assert user is not None
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Path]:
    """A running server that listens on a socket in this folder only; yields the folder."""
    initdb, server, client = _binary("initdb"), _binary("pg_ctl"), _binary("psql")
    if not (initdb and server and client):
        _missing("PostgreSQL is not installed: no initdb, pg_ctl or psql")
    assert initdb
    assert server
    # Not below pytest's folders, which other users may not enter; and a socket's name is short.
    folder = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
    how = {"cwd": folder, "capture_output": True, "text": True, **_as_user(folder)}
    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=40"
    try:
        made = [initdb, "-D", data, "-U", "tocsin", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(made, check=True, **how)  # type: ignore[call-overload]
        started = [server, "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(started, check=True, **{**how, "capture_output": False})  # type: ignore[call-overload]
        try:
            yield folder
        finally:
            stopped = [server, "-D", data, "-m", "immediate", "stop"]
            subprocess.run(stopped, check=True, **how)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: Path) -> str:
    """SQLAlchemy URL of a new, empty database."""
    client = _binary("psql")
    assert client
    name = f"test_{os.getpid()}_{next(numbers)}"
    subprocess.run(
        [
            client,
            "-h",
            str(postgres),
            "-U",
            "tocsin",
            "-d",
            "postgres",
            "-qc",
            f"CREATE DATABASE {name}",
        ],
        check=True,
        capture_output=True,
    )
    return f"postgresql+psycopg://tocsin@/{name}?host={postgres}"
