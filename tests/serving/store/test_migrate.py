"""Migrations: from nothing and from older versions, to exactly the tables of this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from models.risk import RiskBook, RiskInput
from pipeline.database import StoreError, open_engine, reading
from pipeline.stream.checkpoint import METADATA as LOOP
from serving.alerts.risk import read_risk
from serving.store.audit import record, verify
from serving.store.migrate import FOLDER, migrate, pending
from serving.store.tables import METADATA, audit, memory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALL = ["0001", "0002", "0003", "0004"]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        engine = open_engine(request.getfixturevalue("postgres_url"))
    yield engine
    engine.dispose()


def _differences(engine: sa.Engine) -> list[object]:
    with engine.connect() as connection:
        loop = LOOP.tables.keys()
        options = {
            "compare_type": True,
            "include_object": lambda thing, name, kind, *rest: kind != "table" or name not in loop,
        }
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, METADATA))


def test_migrations_give_exactly_the_tables_of_this_version(empty: sa.Engine) -> None:
    assert _differences(empty)
    assert migrate(empty) == ALL
    assert _differences(empty) == []
    assert migrate(empty) == []


def test_tables_of_the_loop_in_the_same_database_are_left_alone(empty: sa.Engine) -> None:
    LOOP.create_all(empty)
    migrate(empty)
    assert set(LOOP.tables) <= set(sa.inspect(empty).get_table_names())
    assert _differences(empty) == []


def test_an_older_store_keeps_what_is_in_it(empty: sa.Engine) -> None:
    assert migrate(empty, to="0001") == ["0001"]
    with empty.begin() as connection:
        record(connection, who="ann", what="key.made", subject="k", detail={}, now=NOON)
    with reading(empty) as connection:
        assert pending(connection) == ALL[1:]
    assert migrate(empty) == ALL[1:]
    with empty.begin() as connection:
        record(connection, who="ann", what="key.revoked", subject="k", detail={}, now=NOON)
        assert verify(connection) is None
        assert connection.execute(sa.select(sa.func.count()).select_from(audit)).scalar_one() == 2


def test_a_risk_book_of_one_row_becomes_one_row_an_entity(empty: sa.Engine) -> None:
    migrate(empty, to="0003")
    told = [80.0, NOON.isoformat(), "trades", "rare"]
    book = {"inputs": [["a", *told], ["book", *told]], "links": [["a", "c", 0.5]]}
    kept = {"part": "risk", "key": "book", "state": {**book, "criticality": [["a", 2.0]]}}
    with empty.begin() as connection:
        connection.execute(memory.insert(), [kept, {"part": "rules", "key": "book", "state": {}}])
    migrate(empty)
    with reading(empty) as connection:
        risky = read_risk(connection)
        rules = sa.select(memory.c.state).where(memory.c.part == "rules")
        assert connection.execute(rules).scalar_one() == {}
    expected = RiskBook()
    for name in ("a", "book"):
        expected.add(name, [RiskInput(80.0, NOON, "trades", "rare")])
    expected.link("a", "c", 0.5)
    expected.weigh("a", 2.0)
    assert risky.riskiest(NOON, 9) == expected.riskiest(NOON, 9)
    assert len(risky.riskiest(NOON, 9)) == 3


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(empty: sa.Engine) -> None:
    migrate(empty)
    with empty.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999.*written by a newer one"):
        migrate(empty)


def test_several_processes_may_migrate_at_once(empty: sa.Engine) -> None:
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(migrate, [empty] * 3))
    assert sorted(done) == [[], [], ALL]


def test_a_migration_that_fails_leaves_nothing(empty: sa.Engine) -> None:
    with empty.begin() as connection:
        connection.execute(sa.text("CREATE TABLE users (name TEXT)"))
    with pytest.raises(sa.exc.DBAPIError, match="users"):
        migrate(empty)
    assert set(sa.inspect(empty).get_table_names()) == {"users"}


def test_the_migrations_are_files_of_the_package() -> None:
    assert sorted(file.stem for file in (FOLDER / "versions").glob("r*.py")) == [
        "r0001_tables",
        "r0002_guards",
        "r0003_priority",
        "r0004_risk_rows",
    ]
