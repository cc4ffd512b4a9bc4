"""A store, and an alert engine over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.database import open_engine
from serving.alerts.engine import AlertEngine
from serving.rules.book import RuleBook
from serving.store.tables import METADATA
from tests.serving.alerts.alerting import PACK, Bench, NoCorrelations


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'store.db'}")
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def _bench(engine: sa.Engine) -> Bench:
    return Bench(engine, lambda: AlertEngine(RuleBook([PACK]), NoCorrelations()))


@pytest.fixture
def bench(store: sa.Engine) -> Bench:
    return _bench(store)


@pytest.fixture
def store_again(tmp_path: Path) -> Iterator[Bench]:
    """A second store, for what must come out the same."""
    engine = open_engine(f"sqlite:///{tmp_path / 'again.db'}")
    METADATA.create_all(engine)
    yield _bench(engine)
    engine.dispose()
