"""A lake for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lake import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty one."""
    return Lake(tmp_path / "a lake")
