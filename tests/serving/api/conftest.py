"""Callers: one for each test on both databases, one for many tests that change nothing of note."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.serving.api.calling import Caller, calling


@pytest.fixture
def call(store: sa.Engine, tmp_path: Path) -> Iterator[Caller]:
    with calling(tmp_path / "home", store.url.render_as_string(hide_password=False)) as caller:
        yield caller


@pytest.fixture(scope="session")
def shared_call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    home = tmp_path_factory.mktemp("house")
    with calling(home, f"sqlite:///{home / 'store.db'}") as caller:
        yield caller
