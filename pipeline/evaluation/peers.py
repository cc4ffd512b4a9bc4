"""What anyone could do in an afternoon: the scores that ours are judged beside."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.view import FeatureView
from models.detector import Matrix, Vector

__all__ = [
    "activity",
    "mean_clipped_z",
    "plain_forest",
    "trailing_mean_change",
    "window_forest",
]

TRAILING, CHANGE = 5_000, 12
FURTHEST, NO_SPREAD = 50.0, 1e-6


def plain_forest(history: Matrix, X: Matrix, seed: int) -> Vector:
    """Scores of scikit-learn's isolation forest with its defaults, shape (n,), high anomalous."""
    from sklearn.ensemble import IsolationForest

    score: Vector = -IsolationForest(random_state=seed).fit(history).score_samples(X)
    return score


def mean_clipped_z(history: Matrix, X: Matrix) -> Vector:
    """Mean over the columns of the absolute distance from the mean, in standard deviations.

    Clipped at 50 a column. Source: the trivial score of the data sets' baselines.
    """
    z = np.abs(X - history.mean(axis=0)) / (history.std(axis=0) + NO_SPREAD)
    score: Vector = np.minimum(z, FURTHEST).mean(axis=1)
    return score


def window_forest(view: FeatureView, windows: pl.DataFrame, seed: int) -> NDArray[np.float64]:
    """`plain_forest` on the raw features of windows with events, their future included.

    Shape (n,); a window without events has the lowest score there is.
    """
    busy = windows["silence"].to_numpy() <= view.every.total_seconds()
    X = windows.filter(pl.Series(busy)).select(view.names).fill_null(0.0).to_numpy()
    score = np.zeros(len(windows))
    score[busy] = plain_forest(X, X, seed)
    return score


def trailing_mean_change(windows: pl.DataFrame) -> NDArray[np.float64]:
    """By how much the mean volume of the last seven hours changed in the last minute, shape (n,).

    The best single number we found: lengths of 900 and 5,000 windows, changes over 1, 5 and 12
    windows, and the value bought instead of the volume were tried on ``trading-pumps``.

    Source: the one feature that does best alone in the data sets' baselines.
    """
    mean = pl.col("volume").rolling_mean(TRAILING).over("entity")
    before = mean.shift(CHANGE).over("entity")
    change = pl.when(before > 0).then(mean / before - 1)
    return windows.select(change.fill_null(-1.0).fill_nan(-1.0)).to_series().to_numpy()


def activity(windows: pl.DataFrame, view: FeatureView) -> NDArray[np.float64]:
    """How much happened in each window, shape (n,): the view's first feature, its count.

    Source: the trivial score of the data sets' baselines for whole entities.
    """
    return windows[view.names[0]].fill_null(0.0).to_numpy()
