"""Scenarios played on a small platform, each once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import polars as pl
import pytest

from pipeline.simulate.platform import STREAMS, Platform
from pipeline.simulate.scenarios import SCENARIOS
from pipeline.simulate.scenarios.scenario import Kind

START = datetime(2026, 3, 3, 10, tzinfo=UTC)
QUIET = timedelta(minutes=5)


@dataclass(frozen=True)
class Played:
    """A scenario's truth, and the events of the platform around it."""

    truth: pl.DataFrame
    events: dict[str, pl.DataFrame]
    platform: Platform

    def stage(self, name: str) -> pl.DataFrame:
        """The truth of one stage."""
        return self.truth.filter(pl.col("stage") == name)

    def span(self, name: str) -> tuple[datetime, datetime]:
        """From when until when a stage lasts."""
        of = self.stage(name)
        start, end = of["start"].min(), of["end"].max()
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        return start, end

    def during(self, stream: str, name: str) -> pl.DataFrame:
        """Events of a stream while a stage lasts."""
        start, end = self.span(name)
        return self.events[stream].filter(pl.col("ts").is_between(start, end, closed="left"))


Play = Callable[..., Played]


@cache
def _play(number: int, kind: Kind, seed: int, lasts: timedelta, activity: float) -> Played:
    (scenario,) = (s for s in SCENARIOS.values() if s.number == number)
    platform = Platform(seed, START, activity=activity)
    truth = scenario.play(platform, START + QUIET, kind)
    events = platform.advance(START + QUIET + lasts)
    return Played(truth, {name: events[name] for name in STREAMS}, platform)


@pytest.fixture(scope="session")
def play() -> Play:
    """Play a scenario by its number and kind."""

    def run(
        number: int, kind: Kind, *, seed: int = 1, minutes: int = 40, activity: float = 0.3
    ) -> Played:
        return _play(number, kind, seed, timedelta(minutes=minutes), activity)

    return run
