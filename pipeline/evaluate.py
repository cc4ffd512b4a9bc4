"""How well events are found, beside what anyone could do in an afternoon, all in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.view import FeatureView
from models.metrics import Recall, event_recall
from pipeline.dataset import Dataset, score_dataset

__all__ = ["BUDGETS", "evaluate", "plain_forest", "table_text", "trailing_mean_change"]

BUDGETS = (0.02, 0.1, 0.5)
"""False alerts allowed for each entity and day."""

TRAILING, CHANGE = 5_000, 12


def evaluate(
    dataset: Dataset,
    *,
    now: datetime,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> dict[str, Any]:
    """Judge our scores, a plain isolation forest, a trivial score and chance on one data set.

    The forest is scikit-learn's on the raw features, fitted on the whole set, its future
    included: a generous peer. The trivial score is `trailing_mean_change`. Ours sees the past.

    Returns
    -------
    dict
        ``set``, ``view``, ``windows``, ``events``, ``entity_days`` and, for each of ``ours``,
        ``forest``, ``trivial`` and ``random``, a dict from ``recall@<budget>`` to the figures
        of `models.metrics.Recall`; under ``arms`` the same for each of our arms alone. Budgets
        are false alerts per entity and day.
    """
    windows = dataset.windows(now=now)
    labels = dataset.labels()
    ours = score_dataset(dataset, windows, seed=seed, progress=progress)
    contenders = {
        "ours": ours["score"].to_numpy(),
        "forest": plain_forest(dataset.view, windows, seed),
        "trivial": trailing_mean_change(windows),
        "random": np.random.default_rng(seed).random(len(windows)),
    }
    arms = {name[2:]: -ours[name].to_numpy() for name in ours.columns if name.startswith("p_")}
    names = windows["entity"].unique().sort()
    numbers = {name: i for i, name in enumerate(names)}
    entity = windows["entity"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy()
    end = windows["end"].to_physical().to_numpy() / 1e6
    events = [(numbers.get(e, -1), start.timestamp()) for e, start, _ in labels.iter_rows()]
    days = len(windows) * dataset.view.every.total_seconds() / 86_400
    allowed = [budget * days for budget in BUDGETS]

    def judged(scores: dict[str, NDArray[np.float64]]) -> dict[str, Any]:
        return {
            name: _by_budget(event_recall(entity, end, score, events, allowed))
            for name, score in scores.items()
        }

    return {
        "set": dataset.name,
        "view": dataset.view.name,
        "windows": len(windows),
        "events": len(events),
        "entity_days": round(days, 1),
        **judged(contenders),
        "arms": judged(arms),
    }


def _by_budget(recalls: list[Recall]) -> dict[str, Any]:
    return {
        f"recall@{budget}": asdict(recall) for budget, recall in zip(BUDGETS, recalls, strict=True)
    }


def plain_forest(view: FeatureView, windows: pl.DataFrame, seed: int) -> NDArray[np.float64]:
    """Scores of scikit-learn's isolation forest on the raw features of windows with events.

    Shape (n,), high is anomalous; a window without events has the lowest score there is.
    """
    from sklearn.ensemble import IsolationForest

    busy = windows["count"].to_numpy() > 0
    X = windows.filter(pl.Series(busy)).select(view.names).fill_null(0.0).to_numpy()
    forest = IsolationForest(random_state=seed).fit(X)
    score = np.zeros(len(windows))
    score[busy] = -forest.score_samples(X)
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


def table_text(result: dict[str, Any]) -> str:
    """The figures of one data set as a table for a terminal."""
    head = (
        f"{result['set']}: {result['events']} events, {result['entity_days']} entity-days, "
        f"view {result['view']}\n"
        f"{'false alerts per entity-day':<28}" + "".join(f"{b:>20}" for b in BUDGETS)
    )
    by_name = {name: result[name] for name in ("ours", "forest", "trivial", "random")}
    by_name |= {f"our {name} alone": at for name, at in result["arms"].items()}
    rows = []
    for name, at in by_name.items():
        cells = []
        for budget in BUDGETS:
            found = at[f"recall@{budget}"]
            delay = "-" if found["delay"] is None else f"{found['delay']:.1f} s"
            cells.append(f"{found['recall']:>10.3f} {delay:>9}")
        rows.append(f"{name:<28}" + "".join(cells))
    return "\n".join([head, *rows])
