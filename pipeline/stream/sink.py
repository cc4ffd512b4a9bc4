"""What is made of scored windows: the loop hands them on, and knows nothing of alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol, runtime_checkable

import polars as pl

from features.view import FeatureView
from pipeline.scoring.reasons import Explanation
from pipeline.stream.checkpoint import Connection
from pipeline.stream.follow import Outcome
from pipeline.stream.kept import Judge

__all__ = ["Sink", "give"]


class Sink(Protocol):
    """What is made of scored windows, inside the checkpoint's transaction."""

    def take(
        self,
        connection: Connection,
        view: FeatureView,
        windows: pl.DataFrame,
        scores: pl.DataFrame,
        explained: list[Explanation],
        *,
        now: datetime,
    ) -> object:
        """Take the windows that one step closed; called again where the transaction is."""


@runtime_checkable
class _Keeping(Protocol):
    """A sink that is told first who judged: the model, and what gives its file as it was then."""

    def judged_by(self, scorer: Judge | None, model: str) -> None: ...


@runtime_checkable
class _Seeing(Protocol):
    """A sink that sees the events of a step, before the windows that they close."""

    def see(self, connection: Connection, stream: str, events: pl.DataFrame) -> None: ...


def give(
    sink: Sink | None,
    connection: Connection,
    views: Mapping[str, FeatureView],
    outcomes: Mapping[str, Outcome],
    events: Mapping[str, pl.DataFrame],
    *,
    now: datetime,
) -> None:
    """Hand a sink what one step took in, by stream, and what came of it, by view."""
    if sink is None:
        return
    if isinstance(sink, _Seeing):
        for stream, rows in events.items():
            if len(rows):
                sink.see(connection, stream, rows)
    for name, o in outcomes.items():
        if len(o.windows):
            if isinstance(sink, _Keeping):
                sink.judged_by(o.judge, o.model)
            sink.take(connection, views[name], o.windows, o.scores, o.explained, now=now)
