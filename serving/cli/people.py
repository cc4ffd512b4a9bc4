"""Commands about people and keys: who may do what, and whether the audit chain is whole."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cli.app import Json, answer, app, now
from serving.cli.running import YAML, Configuration

__all__ = ["audit", "keys", "users"]

keys = typer.Typer(help="API keys: make, list, revoke.", no_args_is_help=True)
users = typer.Typer(help="People who sign in at the pages.", no_args_is_help=True)
audit = typer.Typer(help="The audit chain.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.add_typer(audit, name="audit")

RoleName = Annotated[str, typer.Argument(help="viewer, operator, responder or admin.")]
WHO = "command line"


@keys.command("make")
def make(
    name: Annotated[str, typer.Argument(help="Whose it is, such as prometheus.")],
    role: RoleName,
    days: Annotated[int | None, typer.Option(min=1, help="After which it expires.")] = None,
    per_minute: Annotated[int, typer.Option(min=1, help="Requests.")] = 6_000,
    config: Configuration = YAML,
) -> None:
    """Make a key and print it; it cannot be shown again."""
    from serving.store.keys import make_key

    time = now()
    expires = None if days is None else time + timedelta(days=days)
    with _store(config) as connection:
        key = make_key(
            connection,
            name,
            _role(role),
            who=WHO,
            now=time,
            expires_at=expires,
            per_minute=per_minute,
        )
    print(key)


@keys.command("list")
def listed(config: Configuration = YAML, as_json: Json = False) -> None:
    """List keys without their secrets."""
    from serving.store.keys import list_keys

    with _store(config) as connection:
        rows = [
            {name: value if value is None else str(value) for name, value in row.items()}
            for row in list_keys(connection)
        ]
    line = "{id:<18}{name:<20}{role:<11}{created_at:<34}{state}".format

    def shown(row: dict[str, Any]) -> str:
        ended = row["revoked_at"] and f"revoked {row['revoked_at']}"
        return line(
            **row, state=ended or (row["expires_at"] and f"until {row['expires_at']}") or ""
        )

    answer(rows, as_json, lambda given: "\n".join(map(shown, given)))


@keys.command("revoke")
def revoke(
    key: Annotated[str, typer.Argument(help="Its public part, as `tocsin keys list` shows it.")],
    config: Configuration = YAML,
) -> None:
    """End a key."""
    from serving.store.keys import revoke_key

    with _store(config) as connection:
        revoke_key(connection, key, who=WHO, now=now())


@users.command("set")
def set_person(name: str, role: RoleName, config: Configuration = YAML) -> None:
    """Make a user, or give one another password and role; asks for the password.

    Without a terminal the password is taken from TOCSIN_PASSWORD.
    """
    import os

    from serving.store.users import set_user

    password = os.environ.get("TOCSIN_PASSWORD") or typer.prompt(
        "password", hide_input=True, confirmation_prompt=True
    )
    with _store(config) as connection:
        set_user(connection, name, password, _role(role), who=WHO, now=now())


@audit.command("verify")
def verify_chain(
    known: Annotated[
        str | None,
        typer.Option(metavar="NUMBER:HASH", help="A head that this command printed earlier."),
    ] = None,
    config: Configuration = YAML,
    as_json: Json = False,
) -> None:
    """Say whether every entry of the audit chain is as it was written; exit 1 if not.

    Keep the head that it prints elsewhere: who can write the whole database could write the whole
    chain anew, but not to the same head.
    """
    from serving.store.audit import head, verify

    with _store(config) as connection:
        number, seal = head(connection)
        fault = verify(connection, None if known is None else _head(known))
    said = (
        f"{fault or 'every entry is as it was written'}\nentries: {number}\nhead: {number}:{seal}"
    )
    answer({"fault": fault, "entries": number, "head": f"{number}:{seal}"}, as_json, lambda _: said)
    raise typer.Exit(int(fault is not None))


def _head(known: str) -> tuple[int, str]:
    from pipeline.files import InputError

    number, _, seal = known.partition(":")
    if not (number.isdecimal() and len(seal) == 64):
        raise InputError(f"known is {known!r}; expected NUMBER:HASH as this command prints it")
    return int(number), seal


def _store(path: Path) -> Any:
    """A transaction of the store that a configuration names."""
    from pipeline.config import read_config
    from pipeline.database import open_engine
    from serving.store.migrate import migrate

    config = read_config(path)
    config.home.mkdir(parents=True, exist_ok=True)
    engine = open_engine(config.store_url)
    migrate(engine)
    return engine.begin()


def _role(word: str) -> Any:
    from pipeline.files import InputError
    from serving.store.keys import Role

    if word not in list(Role):
        raise InputError(f"role is {word!r}; expected one of {', '.join(Role)}")
    return Role(word)
