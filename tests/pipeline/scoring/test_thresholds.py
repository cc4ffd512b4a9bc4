"""Levels of rarity from budgets, by what the lake says of the last fortnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from models.budget import count_alerts
from pipeline.lake import Lake
from pipeline.scoring.thresholds import alert_budget

VIEW = "system.host_1m"
START = datetime(2026, 1, 5, tzinfo=UTC)
NOW = START + timedelta(days=14)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A fortnight of one host whose rare windows come five in a row, and a cold start."""
    rng = np.random.default_rng(0)
    n = 14 * 1_440
    rate = np.repeat(rng.random(n // 5) * 1_440.0, 5)
    start = pl.Series([START + timedelta(minutes=m) for m in range(n)])
    scores = pl.DataFrame(
        {"entity": "h", "start": start, "end": start + timedelta(minutes=1), "per_day": rate}
    ).with_columns(warm=pl.int_range(n) >= 100)
    made = Lake(tmp_path)
    made.append(f"scores/{VIEW}", scores)
    return made


@pytest.mark.parametrize("budget", [3.0, 10.0, 30.0])
def test_as_many_alerts_follow_as_were_asked_for(lake: Lake, budget: float) -> None:
    level = alert_budget(VIEW, lake, until=NOW).threshold(budget)
    scores = lake.windows(f"scores/{VIEW}").filter("warm", pl.col("per_day") <= level)
    end = scores["end"].to_physical().to_numpy() / 1e6
    alerts = count_alerts(np.zeros(len(scores), np.int64), end)
    assert alerts / 14 == pytest.approx(budget, rel=0.15)
    assert level > budget


def test_without_history_a_window_is_an_alert(tmp_path: Path) -> None:
    assert alert_budget(VIEW, Lake(tmp_path), until=NOW).threshold(2.0) == 2.0
