"""A sink is handed what it can take, in order: events, who judged, windows."""

from __future__ import annotations

from typing import Any

import polars as pl
import sqlalchemy as sa

from features.trading import SYMBOL_5S, TRADES
from pipeline.stream.follow import Outcome
from pipeline.stream.sink import give
from tests.streams import AFTER, START, made_up

EVENTS = {TRADES.name: made_up(TRADES, 3), "host": pl.DataFrame()}


class Plain:
    """A sink that only takes windows."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def take(self, connection: Any, view: Any, windows: Any, *rest: Any, now: Any) -> None:
        self.told.append((view.name, len(windows), now))


class Whole(Plain):
    """A sink that also wants to see events and be told who judged."""

    def see(self, connection: Any, stream: str, events: pl.DataFrame) -> None:
        self.told.append((stream, len(events)))

    def judged_by(self, scorer: Any, model: str) -> None:
        self.told.append(model)


def _given(sink: Any) -> None:
    row = {"entity": "a", "start": START, "end": START + SYMBOL_5S.every}
    windows = pl.DataFrame([row], schema=dict(SYMBOL_5S.schema))
    outcomes = {
        SYMBOL_5S.name: Outcome(windows, windows, model="version 3"),
        "silent": Outcome(windows.clear(), windows.clear(), model="none"),
    }
    engine = sa.create_engine("sqlite://")
    with engine.connect() as connection:
        views = dict.fromkeys(outcomes, SYMBOL_5S)
        give(sink, connection, views, outcomes, EVENTS, now=AFTER)
    engine.dispose()


def test_events_come_first_then_who_judged_then_windows() -> None:
    sink = Whole()
    _given(sink)
    assert sink.told == [(TRADES.name, 3), "version 3", (SYMBOL_5S.name, 1, AFTER)]


def test_a_sink_that_wants_only_windows_is_given_only_these() -> None:
    sink = Plain()
    _given(sink)
    assert sink.told == [(SYMBOL_5S.name, 1, AFTER)]


def test_without_a_sink_nothing_is_done() -> None:
    _given(None)
