"""Our scores and those of three simple contenders on one labelled data set, row beside row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.detector import Matrix, Vector
from models.nearest_normal import column_scale
from pipeline.evaluation.dataset import Dataset, blind_scores
from pipeline.evaluation.peers import (
    activity,
    mean_clipped_z,
    plain_forest,
    trailing_mean_change,
    window_forest,
)
from pipeline.evaluation.population import score_population
from pipeline.files import InputError
from pipeline.scoring.scorer import STEP, Scorer
from pipeline.scoring.words import amount

__all__ = ["AFTERMATH", "Contest", "contest"]

AFTERMATH = timedelta(hours=1)
"""A window this near to a labelled stretch of its entity is not counted as normal."""

MOST_REASONS = 3
LEAST_SPREADS = 2.0

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Contest:
    """One data set, scored by all contenders.

    Parameters
    ----------
    dataset : Dataset
    scored : polars.DataFrame
        n rows: ``entity, p`` and, where there is a time, ``start, end, per_day, warm``, sorted by
        entity and time.
    scores : dict of str to ndarray of shape (n,)
        ``ours``, ``forest``, ``trivial``, ``random``; high is anomalous.
    arms : dict of str to ndarray of shape (n,)
        What each arm of ours says alone, where there are several.
    cold : int
        Further rows about which nothing was claimed; only series leave them out here.
    labels : polars.DataFrame
        From `Dataset.labels`.
    anomalous : ndarray of shape (n,), bool
        Rows inside what is labelled.
    normal : ndarray of shape (n,), bool
        Warm rows outside of it and of its aftermath.
    explain : callable
        What made row i unusual, in words.
    """

    dataset: Dataset
    scored: pl.DataFrame
    scores: dict[str, Vector]
    labels: pl.DataFrame
    anomalous: NDArray[np.bool_]
    normal: NDArray[np.bool_]
    explain: Callable[[int], list[str]]
    arms: dict[str, Vector] = field(default_factory=dict)
    cold: int = 0

    @property
    def timed(self) -> bool:
        """Whether the rows have a time."""
        return "start" in self.scored.columns

    @property
    def moments(self) -> bool:
        """Whether stretches of time are labelled, not whole entities or rows."""
        return "start" in self.labels.columns


def contest(dataset: Dataset, *, now: datetime, seed: int, progress: Progress) -> Contest:
    """Score one labelled data set: ours by the past of each row, the others as they are used.

    The forest is scikit-learn's on the raw numbers, fitted on the history where the set has one
    and else on the whole set, its future included: a generous peer.

    Raises
    ------
    InputError
        The set cannot be read, or nothing that is scored is labelled.
    """
    enter = {"events": _events, "series": _series, "rows": _rows}[dataset.layout]
    return enter(dataset, now, seed, progress)


def _events(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> Contest:
    windows, labels = dataset.windows(now=now), dataset.labels()
    if not dataset.timed:
        return _population(dataset, windows, labels, seed)
    scorer = Scorer(dataset.view, seed=seed)
    steps = []
    for i in range(0, len(windows), STEP):
        steps.append(scorer.step(windows[i : i + STEP]))
        progress(min(1.0, (i + STEP) / len(windows)))
    scored = pl.concat(steps)
    whole = "start" not in labels.columns
    # A change of volume tells a moment; of a whole entity, how much it did.
    trivial = activity(windows, dataset.view) if whole else trailing_mean_change(windows)
    scores = {
        "ours": scored["score"].to_numpy(),
        "forest": window_forest(dataset.view, windows, seed),
        "trivial": trivial,
        "random": np.random.default_rng(seed).random(len(windows)),
    }
    order = scored.select(pl.arg_sort_by("entity", "start")).to_series().to_numpy()
    scored = scored[order]
    reasons = scored["reasons"]
    anomalous = _of(scored, labels) if whole else _near(scored, labels, timedelta(0))
    if whole and not anomalous.any():
        raise InputError(f"{dataset.path}: no label names an entity of the set")
    near = anomalous if whole else _near(scored, labels, AFTERMATH)
    return Contest(
        dataset,
        scored.select("entity", "start", "end", "p", "per_day", "warm"),
        {name: score[order] for name, score in scores.items()},
        labels,
        anomalous,
        scored["warm"].to_numpy() & ~near,
        lambda row: reasons[row].to_list(),
        {arm: -scored[f"p_{arm}"].to_numpy() for arm in _arms(scored)},
    )


def _population(
    dataset: Dataset, windows: pl.DataFrame, labels: pl.DataFrame, seed: int
) -> Contest:
    windows = windows.sort("entity")
    score, p = score_population(dataset.view, windows, seed=seed)
    anomalous = _of(windows, labels)
    if not anomalous.any():
        raise InputError(f"{dataset.path}: no label names an entity of the set")
    names = list(dataset.view.names)
    X = np.ascontiguousarray(windows.select(names).fill_null(0.0).to_numpy())
    scores = {
        "ours": score,
        "forest": window_forest(dataset.view, windows, seed),
        "trivial": activity(windows, dataset.view),
        "random": np.random.default_rng(seed).random(len(windows)),
    }
    scored = windows.select("entity").with_columns(pl.Series("p", p))
    explain = _Furthest(names, X, 0, X)
    return Contest(dataset, scored, scores, labels, anomalous, ~anomalous, explain)


def _series(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> Contest:
    samples, labels = dataset.samples(), dataset.labels()
    ours = blind_scores(dataset, now=now, seed=seed, progress=progress)
    names = [name for name in samples.columns if name not in ("ts", "entity", "split")]
    has_history = "split" in samples.columns
    random = np.random.default_rng(seed)
    parts: list[pl.DataFrame] = []
    scores: list[dict[str, Vector]] = []
    explainers: list[_Furthest] = []
    for (entity,), part in samples.group_by("entity", maintain_order=True):
        filled = part.select(pl.col(names).cast(pl.Float64).fill_nan(None).forward_fill())
        X = filled.fill_null(0.0).to_numpy()
        scored = ours.filter(pl.col("warm") & (pl.col("entity") == entity))
        if scored.is_empty():
            continue
        # What is scored comes last in its entity.
        first = len(X) - len(scored)
        history, late = X[:first] if has_history else X, X[first:]
        parts.append(scored)
        scores.append(
            {
                "ours": scored["score"].to_numpy(),
                "forest": plain_forest(history, late, seed),
                "trivial": mean_clipped_z(history, late),
                "random": random.random(len(late)),
            }
        )
        explainers.append(_Furthest(names, X, first, history if has_history else None))
    scored = pl.concat(parts) if parts else ours.clear()
    anomalous = _near(scored, labels, timedelta(0))
    if not anomalous.any():
        raise InputError(f"{dataset.path}: no label lies in a sample that is scored")
    begins = np.cumsum([0, *(len(part) for part in parts)])

    def explain(row: int) -> list[str]:
        which = int(np.searchsorted(begins, row, side="right")) - 1
        return explainers[which](row - int(begins[which]))

    return Contest(
        dataset,
        scored.select("entity", "start", "end", "p", "per_day", "warm"),
        {name: np.concatenate([each[name] for each in scores]) for name in scores[0]},
        labels,
        anomalous,
        ~_near(scored, labels, AFTERMATH),
        explain,
        cold=len(ours) - len(scored),
    )


def _rows(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> Contest:
    row, X = dataset.rows()
    labels = dataset.labels()
    anomalous = row.is_in(labels["row"].implode()).to_numpy()
    if not anomalous.any():
        raise InputError(f"{dataset.path}: no label names a row of the set")
    ours = blind_scores(dataset, now=now, seed=seed, progress=progress)
    names = [n for n in pl.read_parquet_schema(dataset.path / "rows.parquet") if n != "row"]
    ordered = bool(dataset.meta.get("ordered", False))
    scores = {
        "ours": ours["score"].to_numpy(),
        "forest": plain_forest(X, X, seed),
        "trivial": mean_clipped_z(X, X),
        "random": np.random.default_rng(seed).random(len(X)),
    }
    explain = _Furthest(names, X, 0, None if ordered else X)
    scored = ours.select(pl.format("row {}", "row").alias("entity"), "p")
    return Contest(dataset, scored, scores, labels, anomalous, ~anomalous, explain)


def _of(scored: pl.DataFrame, labels: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether each row is of a labelled entity."""
    return scored["entity"].is_in(labels["entity"].implode()).to_numpy()


def _near(scored: pl.DataFrame, labels: pl.DataFrame, margin: timedelta) -> NDArray[np.bool_]:
    """Whether each row starts inside a labelled stretch of its entity, or so near to it."""
    near = np.zeros(len(scored), bool)
    for entity, start, end in labels.iter_rows():
        at = scored.select(
            (pl.col("entity") == entity) & pl.col("start").is_between(start - margin, end + margin)
        )
        near |= at.to_series().to_numpy()
    return near


@dataclass(frozen=True)
class _Furthest:
    """The numbers of a row that are furthest from its history; without one, from all before it.

    It says what was unusual, not what the score was made of: distances to neighbours have no parts.
    """

    names: list[str]
    X: Matrix
    first: int
    history: Matrix | None

    def __call__(self, row: int) -> list[str]:
        at = self.first + row
        past = self.X[:at] if self.history is None else self.history
        if len(past) < 2:
            return []
        mean, spread = column_scale(past)
        z = (self.X[at] - mean) / spread
        order = np.argsort(-np.abs(z), kind="stable")[:MOST_REASONS]
        return [
            f"{self.names[c]} {amount(self.X[at, c])} against {amount(mean[c])} usual, "
            f"{amount(float(f'{abs(z[c]):.2g}'))} spreads {'above' if z[c] > 0 else 'below'}"
            for c in order
            if abs(z[c]) >= LEAST_SPREADS
        ]


def _arms(scored: pl.DataFrame) -> list[str]:
    """The arms that a window's probability is made of; those with a raw score speak beside it."""
    names = [name.removeprefix("p_") for name in scored.columns if name.startswith("p_")]
    return [name for name in names if f"raw_{name}" not in scored.columns]
