from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.playbooks.actions.acting import Bench, world


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store and a platform."""
    made = Bench(tmp_path)
    yield made
    made.engine.dispose()


@pytest.fixture
def on_chain(tmp_path: Path) -> Iterator[Bench]:
    """These, and a chain in this process."""
    made = Bench(tmp_path, world())
    yield made
    made.engine.dispose()
