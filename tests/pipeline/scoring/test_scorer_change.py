"""A creeping level is seen though the baseline swallows it; what an hour usually brings is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.trading import SYMBOL_1M
from pipeline.scoring.scorer import Scorer

FIRST = datetime(2026, 1, 5, tzinfo=UTC)
PER_DAY = 1_440
QUIET, CREEPING = 16, 21
BUDGET = 0.001
"""Tail probability below which an arm speaks up."""


def made_up(days: int, *, creep: float, swing: float = 0.0) -> pl.DataFrame:
    """Windows of two entities, noisy; the main amounts of A creep up after the quiet days."""
    rng = np.random.default_rng(0)
    turn = np.arange(2 * PER_DAY * days) // 2
    day = turn / PER_DAY
    ours = np.arange(len(turn)) % 2 == 0
    level = np.where(ours, (1.0 + creep) ** np.maximum(day - QUIET, 0.0), 1.0)
    level = level * np.exp(swing * np.sin(2 * np.pi * day))
    start = pl.Series([FIRST + int(n) * SYMBOL_1M.every for n in turn])
    return pl.DataFrame(
        {
            "entity": np.where(ours, "A", "B"),
            "start": start,
            "end": start + SYMBOL_1M.every,
            **{
                name: np.where(name in SYMBOL_1M.main, level, 1.0)
                * np.exp(0.5 * rng.normal(size=len(turn)))
                for name in SYMBOL_1M.names
            },
        },
        schema=dict(SYMBOL_1M.schema),
    )


def by_day(scorer: Scorer, windows: pl.DataFrame) -> pl.DataFrame:
    step = PER_DAY
    return pl.concat([scorer.step(windows[i : i + step]) for i in range(0, len(windows), step)])


@pytest.fixture(scope="module")
def crept() -> pl.DataFrame:
    return by_day(Scorer(SYMBOL_1M), made_up(QUIET + CREEPING, creep=0.02))


def spoken(scores: pl.DataFrame, arm: str, entity: str, days: tuple[int, int]) -> float:
    """The share of the windows of an entity, from day to day, that an arm speaks up about."""
    since, until = (FIRST + timedelta(days=day) for day in days)
    part = scores.filter(
        (pl.col("entity") == entity) & pl.col("start").is_between(since, until, closed="left")
    )
    return float((part[f"p_{arm}"] < BUDGET).mean())  # type: ignore[arg-type]


def test_two_per_cent_a_day_are_seen_by_the_change_arm_alone(crept: pl.DataFrame) -> None:
    last_two_weeks = (QUIET + CREEPING - 14, QUIET + CREEPING)
    assert spoken(crept, "change", "A", last_two_weeks) > 0.95
    for arm in ("isolation_forest", "half_space_trees", "bands", "surge"):
        assert spoken(crept, arm, "A", last_two_weeks) < 5 * BUDGET


def test_what_stays_is_no_change(crept: pl.DataFrame) -> None:
    assert spoken(crept, "change", "B", (2, QUIET + CREEPING)) <= BUDGET
    assert spoken(crept, "change", "A", (2, QUIET)) <= BUDGET


def test_the_change_is_told_with_both_levels_and_its_beginning(crept: pl.DataFrame) -> None:
    certain = crept.filter(pl.col("entity") == "A", pl.col("raw_change") >= 1)
    told = certain["reasons"][0].to_list()
    assert any(text.startswith("buy orders rose from ") for text in told)
    since = datetime.fromisoformat(told[0].split(" since ")[1].removesuffix(" UTC") + "+00:00")
    assert FIRST + timedelta(days=QUIET) < since < FIRST + timedelta(days=QUIET + 7)


def test_each_window_has_an_expected_range_that_knows_the_hour() -> None:
    windows = made_up(10, creep=0.0, swing=1.5)
    scorer = Scorer(SYMBOL_1M)
    by_day(scorer, windows[: -2 * PER_DAY])
    assert scorer.ranges.is_empty()
    last = windows[-2 * PER_DAY :]
    scorer.step(last, ranges=True)
    ranges = scorer.ranges.filter(pl.col("feature") == "buy_orders", pl.col("entity") == "B")
    assert len(scorer.ranges) == len(last) * len(SYMBOL_1M.names)
    assert (ranges["low"] < ranges["expected"]).all()
    assert (ranges["expected"] < ranges["high"]).all()
    actual = last.filter(pl.col("entity") == "B")["buy_orders"]
    assert actual.is_between(ranges["low"], ranges["high"]).mean() > 0.97  # type: ignore[operator]
    hourly = ranges.group_by(pl.col("start").dt.hour()).agg(pl.col("expected").mean()).sort("start")
    assert hourly["expected"][6] > 3.0 * hourly["expected"][18]
