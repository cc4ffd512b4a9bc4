"""Series and rows of numbers without a schema: scored by their distance to what was normal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.stream import TIME
from models.calibration import Calibration
from models.detector import Matrix, Vector
from models.guard import Gate
from models.kernels.neighbours import exponential_mean
from models.nearest_normal import NearestNormal, column_scale

__all__ = ["score_rows", "score_series"]

DAY = timedelta(days=1)
# Half-lives in samples: of the short memory beside each metric, and of the score.
SHORT, SMOOTH = 5.0, 20.0
# A series without history is watched this long before it is scored (Numenta Anomaly Benchmark).
PROBATION_SHARE, PROBATION_MOST = 0.15, 750
LEARN_EVERY = 100
# What is usual for a score drifts with the machine: the reference is the last few days.
RECENT_SCORES, REMEMBERED_SCORES = 10_000, 20_000
# Samples of a running mean that say as much as one: the sum of its autocorrelations.
DEPENDENCE = (1 + 0.5 ** (1 / SMOOTH)) / (1 - 0.5 ** (1 / SMOOTH))

ROWS_FIRST, ROWS_BLOCK, ROWS_CLIP = 64, 256, 50.0
NORMAL_QUANTILE, LEAK = 0.99, 0.002
NORMAL_SHARE, ROUNDS = 0.9, 6


def score_series(
    frame: pl.DataFrame,
    *,
    step: timedelta,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> pl.DataFrame:
    """Score samples of metrics, each entity against its own history.

    With a column ``split`` the rows marked ``train`` are history and the others are scored by
    it. Without one every row is scored by the rows before it, after a time of probation in which
    ``warm`` is false and nothing is claimed.

    Parameters
    ----------
    frame : polars.DataFrame
        ``ts, entity, [split]`` and one numeric column a metric, sorted by time in each entity.
        A missing value counts as the one before it.
    step : timedelta
        Time from sample to sample.

    Returns
    -------
    polars.DataFrame
        ``entity, start, end, score, p, per_day, warm``, a row for each sample to be scored.
        ``score`` is the running mean (half-life 20 samples) of the distances of
        `models.nearest_normal.NearestNormal` over the metrics and their running means.
    """
    metrics = [c for c in frame.columns if c not in ("ts", "entity", "split")]
    parts = frame.partition_by("entity", maintain_order=True)
    scored = []
    for number, part in enumerate(parts):
        part = part.sort("ts", maintain_order=True)
        scored.append(_score_entity(part, metrics, step, len(parts), seed))
        progress((number + 1) / len(parts))
    return pl.concat(scored)


def _score_entity(
    part: pl.DataFrame, metrics: list[str], step: timedelta, entities: int, seed: int
) -> pl.DataFrame:
    values = part.select(pl.col(metrics).cast(pl.Float64).fill_nan(None).forward_fill())
    X = np.ascontiguousarray(values.fill_null(0.0).to_numpy())
    X = np.hstack([X, exponential_mean(X, SHORT)])
    detector = NearestNormal([*metrics, *(f"{name} short" for name in metrics)])
    calibration = Calibration(
        seed=seed, size=RECENT_SCORES, memory=REMEMBERED_SCORES, dependence=DEPENDENCE
    )
    if "split" in part.columns:
        learned = int((part["split"] == "train").sum())
        # What is usual is told by rows that were not learned: those that were find themselves.
        if half := learned // 2:
            raw = detector.fit(X[:half], seed=seed).score(X[half:learned])
            calibration.learn(exponential_mean(raw[:, None], SMOOTH)[:, 0])
        raw = detector.fit(X[:learned], seed=seed).score(X)
        score = exponential_mean(raw[:, None], SMOOTH)[:, 0]
        first = learned
    else:
        first = learned = min(int(PROBATION_SHARE * len(X)), PROBATION_MOST)
        score = np.zeros(len(X))
        raw = _score_online(detector, X, first, seed)
        score[first:] = exponential_mean(raw[:, None], SMOOTH)[:, 0]
        learned = 0
    p = np.ones(len(X))
    for i in range(first, len(X), LEARN_EVERY):
        block = slice(i, i + LEARN_EVERY)
        p[block] = calibration.probability(score[block])
        calibration.learn(score[block])
    per_day = p * entities * (DAY / step)
    # Too few samples for a probation: nothing is claimed of any.
    warm = np.arange(len(X)) >= (first or len(X))
    return part.select(
        "entity",
        pl.col("ts").cast(TIME).alias("start"),
        (pl.col("ts").cast(TIME) + step).alias("end"),
        *(pl.Series(n, v) for n, v in (("score", score), ("p", p), ("per_day", per_day))),
        pl.Series("warm", warm),
    )[learned:]


def _score_online(detector: NearestNormal, X: Matrix, first: int, seed: int) -> Vector:
    """Scores of the rows from ``first`` on, each by the rows before its block."""
    if first == 0:
        return np.zeros(len(X))
    detector.fit(X[:first], seed=seed)
    scores = []
    for i in range(first, len(X), LEARN_EVERY):
        scores.append(detector.score(X[i : i + LEARN_EVERY]))
        detector.learn(X[i : i + LEARN_EVERY])
    return np.concatenate(scores)


def score_rows(X: Matrix, *, ordered: bool, seed: int) -> tuple[Vector, Vector]:
    """Score rows that have no time.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64, finite
    ordered : bool
        Whether the order of rows is that of arrival. Then a row is scored by rows before it
        alone, and rows that look unlike what was learned are not learned, but for a leak of
        0.2 %. Otherwise every row is scored by the nine tenths that are most alike.

    Returns
    -------
    score, p : ndarrays of shape (n,)
        High scores are anomalous; tail probabilities.
    """
    detector = NearestNormal([str(i) for i in range(X.shape[1])], clip=ROWS_CLIP)
    if ordered:
        return _score_arrivals(detector, X, seed)
    kept = _most_alike(X)
    score = detector.fit(X[kept], seed=seed).score(X)
    calibration = Calibration(seed=seed)
    calibration.learn(score[kept])
    return score, calibration.probability(score)


def _most_alike(X: Matrix) -> NDArray[np.int64]:
    """The nine tenths of the rows nearest their own centre.

    Source: the concentration steps of Rousseeuw and Van Driessen, Technometrics 1999, with a
    diagonal covariance.
    """
    kept = np.arange(len(X))
    for _ in range(ROUNDS):
        mean, spread = column_scale(X[kept])
        z = np.clip((X - mean) / spread, -ROWS_CLIP, ROWS_CLIP)
        nearest = np.argsort((z * z).mean(axis=1), kind="stable")
        kept = np.sort(nearest[: max(1, int(NORMAL_SHARE * len(X)))])
    return kept


def _score_arrivals(detector: NearestNormal, X: Matrix, seed: int) -> tuple[Vector, Vector]:
    first = min(ROWS_FIRST, len(X))
    score, p = np.zeros(len(X)), np.ones(len(X))
    gate = Gate(seed=seed, leak=LEAK)
    calibration = Calibration(seed=seed)
    detector.fit(X[:first], seed=seed)
    i = first
    while i < len(X):
        block = slice(i, i + min(i, ROWS_BLOCK))
        score[block] = detector.score(X[block])
        p[block] = calibration.probability(score[block])
        usual = np.quantile(detector.usual, NORMAL_QUANTILE) if len(detector.usual) else np.inf
        normal = score[block] <= usual
        calibration.learn(score[block][normal])
        # No allowance: rows may begin with an attack, and few of it make its neighbourhood normal.
        detector.learn(X[block][gate.passes(~normal, share=0.0)])
        i = block.stop
    return score, p
