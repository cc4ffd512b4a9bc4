"""The peers of an afternoon are what their words say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import IsolationForest

from pipeline.evaluation.dataset import Dataset
from pipeline.evaluation.peers import (
    CHANGE,
    TRAILING,
    activity,
    mean_clipped_z,
    plain_forest,
    trailing_mean_change,
    window_forest,
)


def volumes(*values: float, entity: str = "A") -> pl.DataFrame:
    start = [
        datetime(2026, 1, 1, tzinfo=UTC) + i * timedelta(seconds=5) for i in range(len(values))
    ]
    return pl.DataFrame(
        {"entity": entity, "start": start, "volume": pl.Series(values, dtype=pl.Float64)}
    )


def test_the_trivial_score_is_the_change_of_the_trailing_mean() -> None:
    values = np.random.default_rng(0).lognormal(size=TRAILING + CHANGE + 3)
    found = trailing_mean_change(volumes(*values))
    for row in (TRAILING + CHANGE - 1, TRAILING + CHANGE + 2):
        now = values[row - TRAILING + 1 : row + 1].mean()
        before = values[row - CHANGE - TRAILING + 1 : row - CHANGE + 1].mean()
        assert found[row] == pytest.approx(now / before - 1, abs=1e-9)
    assert (found[: TRAILING + CHANGE - 1] == -1).all()


def test_the_trivial_score_of_a_market_without_trade_is_the_lowest() -> None:
    found = trailing_mean_change(volumes(*np.zeros(TRAILING + CHANGE + 10)))
    np.testing.assert_array_equal(found, -1.0)


def test_a_window_without_events_is_the_least_suspicious_of_the_plain_forest(
    pump_set: Path, after: datetime
) -> None:
    dataset = Dataset.open(pump_set)
    windows = dataset.windows(now=after)[:3_000]
    score = window_forest(dataset.view, windows, seed=0)
    silent = (windows["count"] == 0).to_numpy()
    assert 0 < silent.sum() < len(silent)
    assert score[silent].max() < score[~silent].min()


def test_the_plain_forest_is_that_of_scikit_learn_with_high_anomalous() -> None:
    rng = np.random.default_rng(0)
    history, X = rng.normal(size=(500, 3)), rng.normal(size=(40, 3))
    X[7] = 9.0
    score = plain_forest(history, X, seed=4)
    peer = IsolationForest(random_state=4).fit(history)
    np.testing.assert_array_equal(score, -peer.score_samples(X))
    assert score.argmax() == 7


def test_the_mean_of_distances_is_in_deviations_of_the_history() -> None:
    history = np.array([[0.0, 10.0], [2.0, 30.0]])
    X = np.array([[1.0, 20.0], [3.0, 20.0], [1.0, -20.0], [3.0, 60.0]])
    assert mean_clipped_z(history, X) == pytest.approx([0, 1, 2, 3], abs=1e-5)


def test_no_column_counts_for_more_than_fifty_deviations() -> None:
    history = np.random.default_rng(0).normal(size=(400, 4))
    history[:, 3] = 7.0
    X = np.tile(history.mean(axis=0), (3, 1))
    # A wild value, and a column without spread that moves at all.
    X[1, 0], X[2, 3] = -1e12, 8.0
    assert mean_clipped_z(history, X) == pytest.approx([0, 50 / 4, 50 / 4], abs=1e-9)


def test_activity_is_the_count_of_the_view(pump_set: Path, after: datetime) -> None:
    dataset = Dataset.open(pump_set)
    windows = dataset.windows(now=after)[:500]
    np.testing.assert_array_equal(activity(windows, dataset.view), windows["count"].to_numpy())
