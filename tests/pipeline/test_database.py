"""The database: one code path for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.database import StoreError, UtcTime, open_engine, reading, upsert
from tests.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

METADATA = sa.MetaData()
THINGS = sa.Table(
    "things",
    METADATA,
    sa.Column("key", sa.String(10), primary_key=True),
    sa.Column("made", sa.Integer),
    sa.Column("count", sa.Integer),
    sa.Column("at", UtcTime),
)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        made = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    else:
        made = open_engine(request.getfixturevalue("postgres_url"))
    METADATA.create_all(made)
    yield made
    made.dispose()


def _row(key: str, made: int = 0, count: int = 0) -> dict[str, Any]:
    return {"key": key, "made": made, "count": count, "at": NOON}


def test_a_row_that_is_there_is_updated_but_for_what_is_kept(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        upsert(connection, THINGS, [])
        upsert(connection, THINGS, [_row("a", 1, 1), _row("b", 1, 1)], keep=["made"])
        upsert(connection, THINGS, [_row("a", 2, 2)], keep=["made"])
        upsert(connection, THINGS, [_row("b", 9, 9)], keep=["made", "count", "at"])
        found = connection.execute(sa.select(THINGS).order_by(THINGS.c.key)).all()
    assert [tuple(row)[:3] for row in found] == [("a", 1, 2), ("b", 1, 1)]


def test_writers_that_read_first_wait_for_each_other(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        upsert(connection, THINGS, [_row("a")])

    def add(_: int) -> None:
        with engine.begin() as connection:
            now = connection.execute(sa.select(THINGS.c.count).with_for_update()).scalar_one()
            connection.execute(THINGS.update().values(count=now + 1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(40)))
    with reading(engine) as connection:
        assert connection.execute(sa.select(THINGS.c.count)).scalar_one() == 40


def test_who_only_reads_waits_for_no_writer(engine: sa.Engine) -> None:
    with engine.begin() as writer:
        upsert(writer, THINGS, [_row("a")])
        with reading(engine) as connection:
            assert connection.execute(sa.select(THINGS)).all() == []


def test_a_naive_time_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as connection, pytest.raises(sa.exc.StatementError, match="time zone"):
        upsert(connection, THINGS, [_row("a") | {"at": NOON.replace(tzinfo=None)}])


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://root:secret@host/db", "the store is mysql; expected sqlite or postgresql"),
        ("no url at all secret", "cannot be read"),
        ("", "cannot be read"),
    ],
)
def test_another_database_is_refused_without_telling_its_password(url: str, told: str) -> None:
    with pytest.raises(StoreError, match=told) as caught:
        open_engine(url)
    assert "secret" not in str(caught.value)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))
def test_a_time_is_the_same_instant_after_sqlite_had_it(at: datetime) -> None:
    kind, dialect = UtcTime(), sa.create_engine("sqlite://").dialect
    bound = kind.process_bind_param(at, dialect)
    assert bound is not None
    found = kind.process_result_value(bound.replace(tzinfo=None), dialect)
    assert found == at.astimezone(UTC)
    assert found.utcoffset() is not None
