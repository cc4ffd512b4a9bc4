"""Servers, secrets, and clients that lose patience soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from serving.alerts.engine import AlertEngine
from serving.notify.channels import http
from serving.rules.book import RuleBook
from tests.serving.alerts.alerting import PACK, Bench, NoCorrelations
from tests.serving.notify.servers import Web


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> str:
    """A secret that is in the environment as SECRET."""
    monkeypatch.setenv("SECRET", "s3cr3t-Zq81x")
    return "s3cr3t-Zq81x"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", 0.2)


@pytest.fixture
def bench(store: sa.Engine) -> Bench:
    return Bench(store, lambda: AlertEngine(RuleBook([PACK]), NoCorrelations()))
