"""A migrated store, on SQLite and on PostgreSQL: the whole serving suite runs on both."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.database import open_engine
from serving.store.migrate import migrate
from tests.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]

MakeStore = Callable[[], sa.Engine]
numbers = count(1)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that tests copy."""
    file = tmp_path_factory.mktemp("store") / "migrated.db"
    engine = open_engine(f"sqlite:///{file}")
    migrate(engine)
    engine.dispose()
    return file


@pytest.fixture(scope="session")
def migrated_server(postgres: Path) -> sa.URL:
    """A server with a migrated database that tests copy."""
    url = sa.make_url(f"postgresql+psycopg://tocsin@/migrated?host={postgres}")
    _administer(url, "CREATE DATABASE migrated")
    engine = open_engine(url.render_as_string())
    migrate(engine)
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def make_store(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path
) -> Iterator[MakeStore]:
    """Makes migrated stores of one kind, each empty."""
    made: list[sa.Engine] = []

    def make() -> sa.Engine:
        if request.param == "sqlite":
            file = tmp_path / f"store{len(made)}.db"
            shutil.copy(migrated_file, file)
            made.append(open_engine(f"sqlite:///{file}"))
        else:
            template = request.getfixturevalue("migrated_server")
            name = f"store_{next(numbers)}"
            _administer(template, f"CREATE DATABASE {name} TEMPLATE migrated")
            made.append(open_engine(template.set(database=name).render_as_string()))
        return made[-1]

    yield make
    for engine in made:
        engine.dispose()


@pytest.fixture
def store(make_store: MakeStore) -> sa.Engine:
    """One empty store."""
    return make_store()


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    """The same, by the name that tests of runs use."""
    return store


def _administer(url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()
