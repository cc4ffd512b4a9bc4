"""Windows whose order says nothing, one an entity: each is judged by all the others."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.view import FeatureView
from models.calibration import Calibration
from models.detector import Vector
from models.surge import Surge
from pipeline.evaluation.series import score_rows

__all__ = ["score_population"]


def score_population(
    view: FeatureView, windows: pl.DataFrame, *, seed: int
) -> tuple[Vector, Vector]:
    """Score one window an entity, whose order says nothing: a transaction, an account's life.

    A view's main amounts are added up as multiples of what is typical of all the windows in
    which something happened and that ended no later (`models.surge.Surge`); a view without main
    amounts is scored like rows without order.

    Returns
    -------
    score, p : ndarrays of shape (n,)
        High scores are anomalous; p is the rank among all, those that are anomalous included.
    """
    if not view.main:
        X = windows.select(view.names).fill_null(0.0).to_numpy()
        return score_rows(np.ascontiguousarray(X), ordered=False, seed=seed)
    amounts = np.maximum(windows.select(view.main).fill_null(0.0).to_numpy(), 0.0)
    happened = amounts > 0
    logs = np.log(amounts, out=np.zeros_like(amounts), where=happened)
    end = windows["end"].to_physical().to_numpy()
    order = np.argsort(end, kind="stable")
    known = np.searchsorted(end[order], end, side="right") - 1
    total, seen = (np.cumsum(x[order], axis=0)[known] for x in (logs, happened))
    typical = np.exp(total / np.maximum(seen, 1))
    score = Surge(view.main).score(np.ascontiguousarray(amounts / typical))
    calibration = Calibration(seed=seed)
    calibration.learn(score)
    return score, calibration.probability(score)
