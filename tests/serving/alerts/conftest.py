"""Alert engines over stores."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from serving.alerts.engine import AlertEngine
from serving.rules.actors import Actors
from serving.rules.book import RuleBook
from tests.serving.alerts.alerting import PACK, Bench, NoCorrelations


def _bench(engine: sa.Engine) -> Bench:
    return Bench(engine, lambda: AlertEngine(RuleBook([PACK]), NoCorrelations(), actors=Actors()))


@pytest.fixture
def bench(store: sa.Engine) -> Bench:
    return _bench(store)


@pytest.fixture
def store_again(make_store: Callable[[], sa.Engine]) -> Bench:
    """A second store, for what must come out the same."""
    return _bench(make_store())
