"""Samples from rows that name only what matters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.extract import extract
from features.stream import Stream
from features.view import FeatureView

NAMES = {"host": "h", "mount": "/", "service": "s", "database": "d", "interface": "i"}
Rows = list[dict[str, Any]]
Samples = Callable[[Stream, Rows], pl.DataFrame]
Windows = Callable[[FeatureView, Rows], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def samples(noon: datetime) -> Samples:
    """Valid samples of a stream; ``at`` is in seconds after noon."""

    def make(stream: Stream, rows: Rows) -> pl.DataFrame:
        own = {c.name for c in stream.columns}
        names = {name: word for name, word in NAMES.items() if name in own}
        frame = pl.DataFrame(
            [names | row | {"ts": noon + timedelta(seconds=row["at"])} for row in rows],
            infer_schema_length=None,
        )
        validated = stream.validate(frame, now=noon + timedelta(days=2))
        validated.refused.raise_first()
        return validated.events

    return make


@pytest.fixture(scope="session")
def windows(samples: Samples) -> Windows:
    """The windows of samples, the first of them first."""
    return lambda view, rows: extract(view, samples(view.stream, rows)).to_dicts()


@pytest.fixture(scope="session")
def window_at_noon(
    windows: Windows,
) -> Callable[[FeatureView, dict[str, list[Any]]], dict[str, Any]]:
    """The window of the last two of three samples: half a minute before noon, at noon, after."""

    def last(view: FeatureView, columns: dict[str, list[Any]]) -> dict[str, Any]:
        rows = [
            {"at": at} | {name: values[i] for name, values in columns.items()}
            for i, at in enumerate((-30, 0, 30))
        ]
        _, window = windows(view, rows)
        assert len(window) == len(view.names) + 3
        return {name: window[name] for name in view.names}

    return last
