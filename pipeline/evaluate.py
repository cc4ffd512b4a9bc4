"""How well anomalies are found, beside what anyone could do in an afternoon, all in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.detector import Vector
from models.metrics import event_recall
from models.range_metrics import average_precision, vus_pr
from pipeline.dataset import Dataset, blind_scores, score_dataset
from pipeline.files import InputError
from pipeline.peers import mean_clipped_z, plain_forest, trailing_mean_change, window_forest

__all__ = ["BUDGETS", "evaluate", "table_text"]

BUDGETS = (0.02, 0.1, 0.5)
"""False alerts allowed for each entity and day."""

Progress = Callable[[float], None]


def evaluate(
    dataset: Dataset,
    *,
    now: datetime,
    seed: int,
    progress: Progress = lambda share: None,
) -> dict[str, Any]:
    """Judge our scores, a plain isolation forest, a trivial score and chance on one data set.

    The forest is scikit-learn's on the raw numbers, fitted on the history where the set has one
    and else on the whole set, its future included: a generous peer. Ours sees the past.

    Returns
    -------
    dict
        ``set``, ``layout``, sizes, and under ``ours``, ``forest``, ``trivial`` and ``random``:
        for events a dict from ``recall@<budget>`` (false alerts per entity and day) to the
        figures of `models.metrics.Recall`; for series ``ap`` and ``vus_pr``, means over the
        entities that have anomalies; for rows ``ap``.
    """
    judge = {"events": _events, "series": _series, "rows": _rows}[dataset.layout]
    return {"set": dataset.name, "layout": dataset.layout} | judge(dataset, now, seed, progress)


def _events(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> dict[str, Any]:
    windows = dataset.windows(now=now)
    labels = dataset.labels()
    ours = score_dataset(dataset, windows, seed=seed, progress=progress)
    names = windows["entity"].unique().sort()
    numbers = {name: i for i, name in enumerate(names)}
    entity = windows["entity"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy()
    end = windows["end"].to_physical().to_numpy() / 1e6
    events = [(numbers.get(e, -1), start.timestamp()) for e, start, _ in labels.iter_rows()]
    days = len(windows) * dataset.view.every.total_seconds() / 86_400
    allowed = [budget * days for budget in BUDGETS]

    def recalls(score: Vector) -> dict[str, Any]:
        found = event_recall(entity, end, score, events, allowed)
        return {f"recall@{b}": asdict(at) for b, at in zip(BUDGETS, found, strict=True)}

    return {
        "view": dataset.view.name,
        "windows": len(windows),
        "events": len(events),
        "entity_days": round(days, 1),
        "ours": recalls(ours["score"].to_numpy()),
        "forest": recalls(window_forest(dataset.view, windows, seed)),
        "trivial": recalls(trailing_mean_change(windows)),
        "random": recalls(np.random.default_rng(seed).random(len(windows))),
        "arms": {n[2:]: recalls(-ours[n].to_numpy()) for n in ours.columns if n.startswith("p_")},
    }


def _series(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> dict[str, Any]:
    samples = dataset.samples()
    labels = dataset.labels()
    ours = blind_scores(dataset, now=now, seed=seed, progress=progress)
    random = np.random.default_rng(seed)
    figures: dict[str, list[dict[str, float]]] = {}
    for (name,), part in samples.group_by("entity", maintain_order=True):
        scored = ours.filter(pl.col("entity") == name)
        warm = scored["warm"].to_numpy()
        anomalous = _within(scored["start"], labels.filter(pl.col("entity") == name))[warm]
        if not anomalous.any():
            continue
        numbers = part.drop("ts", "entity", "split", strict=False).cast(pl.Float64)
        X = numbers.fill_nan(None).fill_null(strategy="forward").fill_null(0.0).to_numpy()
        tested = X[len(X) - len(scored) :][warm]
        history = X[: len(X) - len(scored)] if "split" in part.columns else X
        contenders = {
            "ours": scored["score"].to_numpy()[warm],
            "forest": plain_forest(history, tested, seed),
            "trivial": mean_clipped_z(history, tested),
            "random": random.random(len(tested)),
        }
        for contender, score in contenders.items():
            both = {"ap": average_precision(anomalous, score), "vus_pr": vus_pr(anomalous, score)}
            figures.setdefault(contender, []).append(both)
    if not figures:
        raise InputError(f"{dataset.path}: no label lies in a sample that is scored")
    means: dict[str, Any] = {
        contender: {key: float(np.mean([f[key] for f in each])) for key in ("ap", "vus_pr")}
        for contender, each in figures.items()
    }
    return {"samples": len(ours), "entities": len(figures["ours"])} | means


def _within(times: pl.Series, labels: pl.DataFrame) -> NDArray[np.bool_]:
    """Whether each time lies in a labelled stretch, its ends included."""
    inside = np.zeros(len(times), bool)
    for _, start, end in labels.iter_rows():
        inside |= ((times >= start) & (times <= end)).to_numpy()
    return inside


def _rows(dataset: Dataset, now: datetime, seed: int, progress: Progress) -> dict[str, Any]:
    row, X = dataset.rows()
    anomalous = row.is_in(dataset.labels()["row"].implode()).to_numpy()
    if not anomalous.any():
        raise InputError(f"{dataset.path}: no label names a row of the set")
    ours = blind_scores(dataset, now=now, seed=seed, progress=progress)
    contenders: Mapping[str, Vector] = {
        "ours": ours["score"].to_numpy(),
        "forest": plain_forest(X, X, seed),
        "trivial": mean_clipped_z(X, X),
        "random": np.random.default_rng(seed).random(len(X)),
    }
    judged = {name: {"ap": average_precision(anomalous, s)} for name, s in contenders.items()}
    return {"rows": len(X), "anomalous": int(anomalous.sum())} | judged


def table_text(result: dict[str, Any]) -> str:
    """The figures of one data set as a table for a terminal."""
    by_name = {name: result[name] for name in ("ours", "forest", "trivial", "random")}
    by_name |= {f"our {name} alone": at for name, at in result.get("arms", {}).items()}
    columns = list(result["ours"])
    head = f"{result['set']} ({result['layout']})"
    if result["layout"] == "events":
        head += f": {result['events']} events in {result['entity_days']} entity-days; "
        head += "recall at false alerts per entity-day, median / mean delay"
    lines = [head, " " * 28 + "".join(f"{column:>22}" for column in columns)]
    for name, at in by_name.items():
        lines.append(f"{name:<28}" + "".join(f"{_cell(at[column]):>22}" for column in columns))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if not isinstance(value, dict):
        return f"{value:.3f}"
    if value["delay"] is None:
        return f"{value['recall']:.3f} {'-':>13}"
    delays = f"{value['delay']:.1f} / {value['mean_delay']:.1f} s"
    return f"{value['recall']:.3f} {delays:>13}"
