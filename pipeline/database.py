"""Opens the database: SQLite for one machine, PostgreSQL when that is outgrown, one code path."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["StoreError", "UtcTime", "open_engine", "reading", "upsert"]

BUSY_MS = 30_000


class StoreError(Exception):
    """The database cannot be used; the message holds no password."""


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time, to the microsecond; SQLite alone would give it back naive."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Refuse a naive time: nobody knows which instant it names."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time is {value.isoformat()}, expected one with a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """The same instant, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def open_engine(url: str) -> sa.Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg://...``.

    Raises
    ------
    StoreError
        The URL cannot be read or names another database.
    """
    try:
        parsed = sa.make_url(url)
        kind = parsed.get_backend_name()
    except sa.exc.ArgumentError as error:
        raise StoreError("the store's URL cannot be read; expected sqlite:///FILE") from error
    if kind == "sqlite":
        given = {"timeout": BUSY_MS / 1000, "factory": _Connection}
        engine = sa.create_engine(parsed, connect_args=given)
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _begin_immediate)
        return engine
    if kind == "postgresql":
        return sa.create_engine(parsed, pool_pre_ping=True)
    raise StoreError(f"the store is {kind}; expected sqlite or postgresql")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that only reads: it waits for no writer, and none waits for it."""
    with engine.connect() as connection:
        yield connection.execution_options(tocsin_reading=True)


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: Sequence[str] = (),
) -> None:
    """Insert rows, or where the primary key is there already, update all columns but ``keep``.

    All rows name the same columns.
    """
    if not rows:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    key = [column.name for column in table.primary_key]
    given = [name for name in rows[0] if name not in {*key, *keep}]
    statement = insert(table)
    # One statement for any number of rows: it is compiled once.
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=key, set_={name: statement.excluded[name] for name in given}
        )
        if given
        else statement.on_conflict_do_nothing(index_elements=key),
        [dict(row) for row in rows],
    )


class _Connection(sqlite3.Connection):
    def __del__(self) -> None:
        # A pool that nobody holds closes nothing, and from Python 3.13 on that is a warning.
        with suppress(sqlite3.ProgrammingError):  # of another thread
            self.close()


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    # The driver's own implicit BEGIN comes too late to take the write lock first.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later would fail when another wrote in between.
    reads = connection.get_execution_options().get("tocsin_reading")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
