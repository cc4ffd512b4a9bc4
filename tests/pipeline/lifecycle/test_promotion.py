"""Each gate stops a challenger that is worse on exactly that, and only then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from pipeline.lifecycle.promotion import Figures, judge, shadow
from tests.pipeline.lifecycle.retraining import ENTITIES, NOON, VIEW, made_up

ROWS = 6_000
DAILY = len(ENTITIES) * (timedelta(days=1) / VIEW.every)
BEGINS = NOON + timedelta(hours=1)
EVENT = pl.DataFrame(
    {"entity": "A", "start": BEGINS, "end": BEGINS + timedelta(minutes=1)},
    schema_overrides={k: v for k, v in VIEW.schema.items() if k in ("start", "end")},
)
SEEN = int(timedelta(hours=1) / VIEW.every) * len(ENTITIES) + len(ENTITIES)
"""Row of A's second window after the event began."""
FALSE = SEEN - 600 * len(ENTITIES)
"""Row of A's window 50 minutes before."""
RARE = 1e-6
WINDOWS = made_up(0, ROWS)
FAIR = np.random.default_rng(0).permutation(np.arange(1, ROWS + 1) / (ROWS + 1))
FAIR[[SEEN, SEEN + 3, SEEN + 6]] = 0.5


class Clock:
    """Time passes only when a scorer works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Canned:
    """A scorer that says what it was told to say."""

    def __init__(self, clock: Clock, p: np.ndarray, *, cost: float = 1e-6, cold: int = 0) -> None:
        self.clock, self.p, self.cost, self.cold, self.at = clock, p, cost, cold, 0

    def step(self, windows: pl.DataFrame) -> pl.DataFrame:
        rows = np.arange(self.at, self.at + len(windows))
        self.at += len(windows)
        self.clock.now += self.cost * len(windows)
        return windows.select("entity", "start", "end").with_columns(
            pl.Series("p", self.p[rows]),
            pl.Series("per_day", self.p[rows] * DAILY),
            pl.Series("warm", rows >= self.cold),
        )


def saying(*rare: int) -> np.ndarray:
    p = FAIR.copy()
    p[list(rare)] = RARE
    return p


Challenger = Callable[[Clock], Canned]


def judged(challenger: Challenger, champion: Challenger) -> tuple[list[Figures], list[str]]:
    clock = Clock()
    rivals = [champion(clock), challenger(clock)]
    figures = shadow(VIEW, rivals, WINDOWS, EVENT, budget=1.0, clock=clock)
    decision = judge(*figures, budget=1.0)
    failed = [gate.name for gate in decision.gates if not gate.passed]
    assert decision.promote == (not failed)
    return figures, failed


def good(clock: Clock) -> Canned:
    return Canned(clock, saying(SEEN))


WORSE: dict[str, Challenger] = {
    "warm": lambda clock: Canned(clock, saying(SEEN), cold=SEEN - 300),
    "known events found": lambda clock: Canned(clock, saying()),
    "delay": lambda clock: Canned(clock, saying(SEEN + 3)),
    "alerts a day": lambda clock: Canned(clock, saying(FALSE, SEEN)),
    "latency": lambda clock: Canned(clock, saying(SEEN), cost=2e-6),
    "calibration": lambda clock: Canned(
        clock, np.where(saying(SEEN) == RARE, RARE, np.maximum(saying(SEEN) ** 1.5, 1e-3))
    ),
}


@pytest.mark.parametrize("gate", WORSE)
def test_a_challenger_that_is_worse_on_one_thing_fails_on_that_alone(gate: str) -> None:
    assert judged(WORSE[gate], good)[1] == [gate]


@pytest.mark.parametrize("gate", WORSE)
def test_a_challenger_that_is_better_on_one_thing_is_promoted(gate: str) -> None:
    assert judged(good, WORSE[gate])[1] == []


def test_an_equal_challenger_is_promoted() -> None:
    assert judged(good, good)[1] == []


def test_the_figures_say_what_was_seen() -> None:
    figures, _ = judged(WORSE["alerts a day"], good)
    old, new = figures
    assert old.delays == new.delays == (2 * VIEW.every.total_seconds(),)
    assert (old.found, old.alerts, new.alerts, old.warm) == (1, 0, 1, 1.0)
    assert old.days == pytest.approx(ROWS / DAILY)
    assert old.latency == pytest.approx(1e-6)
    assert old.calibration == pytest.approx(1, rel=0.05)


def test_windows_of_one_moment_are_one_alert_and_an_event_is_of_its_entity() -> None:
    beside = [FALSE, FALSE + 3, FALSE + 30, SEEN + 1]
    figures, _ = judged(lambda clock: Canned(clock, saying(SEEN, *beside)), good)
    assert (figures[1].found, figures[1].alerts) == (1, 2)


def test_a_cold_score_alerts_nobody() -> None:
    figures, _ = judged(lambda clock: Canned(clock, saying(FALSE, SEEN), cold=ROWS), good)
    assert (figures[1].found, figures[1].alerts, figures[1].warm) == (0, 0, 0.0)


def test_the_decision_says_what_failed_and_metrics_have_every_gate() -> None:
    clock = Clock()
    rivals = [good(clock), WORSE["latency"](clock)]
    figures = shadow(VIEW, rivals, WINDOWS, EVENT, budget=1.0, clock=clock)
    decision = judge(*figures, budget=1.0)
    assert decision.why == "latency failed: 2e-06 against 1.5e-06"
    assert decision.metrics["passed.latency"] == 0.0
    assert decision.metrics["limit.latency"] == pytest.approx(1.5e-6)
    assert {f"passed.{name.replace(' ', '_')}" for name in WORSE} <= set(decision.metrics)
    assert figures[0].metrics("champion")["champion.found"] == 1.0
