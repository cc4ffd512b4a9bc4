"""Training a view's scorer, against what a user would write with pandas, scikit-learn and River."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import river
import sklearn
from numpy.typing import NDArray
from river import anomaly
from sklearn import ensemble

from benchmarks.bench_score import made_up
from benchmarks.harness import Result, compare
from features.trading import SYMBOL_1M as VIEW
from models.isolation_forest import IsolationForest
from models.kernels.half_space import HalfSpaces
from pipeline.scoring.scorer import Scorer

__all__ = ["run"]

ENTITIES = 50
COUNT, PEER_COUNT = 1_000_000, 20_000
SEED = 0
HALF_LIFE = 1_440


def run(quick: bool = False) -> list[Result]:
    """Training on 1 million windows (20,000 if quick) of 50 entities, state empty before.

    Microseconds a window are seconds for a million. Ours scores and learns every window in turn:
    baseline, five arms, calibration, guard. The peer has each entity's exponential mean and
    spread, one forest and its scores, and half-space trees that score and learn row by row:
    without calibration, guard, or care that no score sees the future. It gets 20,000 windows.
    The two detectors that both have, given the same rows, are compared.
    """
    rows = PEER_COUNT if quick else COUNT
    windows = made_up(0, rows, ENTITIES)
    few = windows.head(PEER_COUNT)
    frame = pd.DataFrame(few.to_dict(as_series=False))
    return [
        compare(
            "train.view",
            lambda: Scorer(VIEW, seed=SEED).run(windows),
            lambda: by_hand(frame),
            f"pandas {pd.__version__} ewm, scikit-learn {sklearn.__version__} and river "
            f"{river.__version__}",
            "us/window",
            _parity(few),
            rows=rows,
            peer_rows=PEER_COUNT,
            repeats=5,
        )
    ]


def by_hand(frame: pd.DataFrame) -> tuple[NDArray[np.float64], list[float]]:
    """Scores of a forest and of half-space trees over each entity's deviations."""
    logs = np.log(frame[list(VIEW.names)])
    past = logs.groupby(frame["entity"]).ewm(halflife=HALF_LIFE)
    mean, spread = (part.droplevel(0).sort_index() for part in (past.mean(), past.std()))
    z = ((logs - mean) / spread).fillna(0.0).to_numpy()
    forest = ensemble.IsolationForest(random_state=SEED).fit(z)
    return -forest.score_samples(z), _trees(1.0 / (1.0 + np.exp(-z)))


def _trees(unit: NDArray[np.float64]) -> list[float]:
    trees = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=SEED)
    scores = []
    for row in unit.tolist():
        x = dict(enumerate(row))
        scores.append(trees.score_one(x))
        trees.learn_one(x)
    return scores


def _parity(windows: pl.DataFrame) -> float:
    X = np.log(windows.head(2_000).select(VIEW.names).to_numpy(order="c"))
    forest = ensemble.IsolationForest(random_state=SEED).fit(X)
    ours = IsolationForest(VIEW.names).fit(X, seed=SEED)
    unit = 1.0 / (1.0 + np.exp(-X))
    spaces = HalfSpaces.grow(len(VIEW.names), n_trees=25, height=8, window_size=250, seed=SEED)
    return max(
        float(np.abs(ours.score(X) + forest.score_samples(X)).max()),
        float(np.abs(spaces.score_learn(unit) - _trees(unit)).max()),
    )
