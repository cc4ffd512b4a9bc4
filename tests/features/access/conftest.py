"""Events of access from rows that name only what matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.access import ACCESS
from features.extract import extract
from features.view import FeatureView

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = {c.name: c.type for c in ACCESS.columns}


def _events(rows: list[dict[str, Any]]) -> pl.DataFrame:
    given = [
        {"ip": "1.2.3.4", "account": "ann", "key": "k", "kind": "request"}
        | {k: v for k, v in row.items() if k != "at"}
        | {"ts": NOON + timedelta(seconds=row["at"])}
        for row in rows
    ]
    frame = pl.DataFrame(given, schema_overrides={k: SCHEMA[k] for row in given for k in row})
    validated = ACCESS.validate(frame, now=NOON + timedelta(days=90))
    validated.refused.raise_first()
    return validated.events


@pytest.fixture(scope="session")
def events() -> Callable[[list[dict[str, Any]]], pl.DataFrame]:
    """Valid events; ``at`` is in seconds after noon."""
    return _events


@pytest.fixture(scope="session")
def measure() -> Callable[..., list[dict[str, Any]]]:
    """The windows of a view over rows, in order."""

    def run(view: FeatureView, *rows: dict[str, Any]) -> list[dict[str, Any]]:
        return extract(view, _events(list(rows))).to_dicts()

    return run
