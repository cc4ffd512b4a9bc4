"""How well anomalies are found, beside what anyone could do in an afternoon, all in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.detector import Vector
from models.range_metrics import average_precision, vus_pr
from pipeline.evaluation.access_mix import AccessMix, evaluate_mix
from pipeline.evaluation.dataset import Dataset
from pipeline.files import InputError
from pipeline.report.budgets import budgets
from pipeline.report.contest import Contest, contest
from pipeline.report.quality import BUDGETS, entity_days, recalls, unit_scores
from pipeline.scoring.words import amount

__all__ = ["BUDGETS", "evaluate", "evaluate_all", "table_text"]

Progress = Callable[[float], None]
CONTENDERS = ("ours", "forest", "trivial", "random")
DELAY_AT = 10.0
"""Alerts a day at which the delay of a series is told."""


def evaluate_all(
    paths: Sequence[Path],
    *,
    now: datetime,
    seed: int,
    progress: Callable[[str, float], None] = lambda name, share: None,
) -> list[dict[str, Any]]:
    """Judge every data set among some folders, with one configuration for all.

    Returns
    -------
    list of dict
        `evaluate` of each set, in the order given; ``set`` and ``skipped``, the reason, of what
        cannot be judged.

    Raises
    ------
    InputError
        None of them can be judged.
    """
    found: list[dict[str, Any]] = []
    faults: list[InputError] = []
    for path in paths:
        name = path.resolve().name
        try:
            if (logs := AccessMix.open(path)) is not None:
                told = evaluate_mix(logs, now=now, seed=seed, progress=partial(progress, name))
                found.append(told)
                continue
            dataset = Dataset.open(path)
            found.append(evaluate(dataset, now=now, seed=seed, progress=partial(progress, name)))
        except InputError as error:
            found.append({"set": name, "skipped": str(error)})
            faults.append(error)
    if len(faults) == len(paths):
        raise faults[0]
    return found


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
        entities that have anomalies; for rows, and events whose labels name whole entities,
        ``ap``, an entity being as unusual as its rarest window. The main figure of ours once
        more at the top, as ``recall@<budget>`` or ``ap``, with its ``delay`` in seconds: for
        events at the tightest budget, for series at 10 alerts a day, else None. ``budget`` has
        the fields of `pipeline.report.results.Budget` for each unit and budget.
    """
    judged = contest(dataset, now=now, seed=seed, progress=progress)
    told = [asdict(budget) for budget in budgets(judged, seed=seed)]
    if not judged.moments:
        figures = _units(judged, seed)
    elif dataset.layout == "events":
        figures = _events(judged)
    else:
        figures = _series(judged)
        at = [b for b in told if b["unit"] == "alerts" and b["asked"] == DELAY_AT]
        figures["delay"] = at[0]["delay"] if at else None
    return {"set": dataset.name, "layout": dataset.layout} | figures | {"budget": told}


def _events(judged: Contest) -> dict[str, Any]:
    def at_budgets(score: Vector) -> dict[str, Any]:
        found = recalls(judged, score)
        return {f"recall@{b}": asdict(at) for b, at in zip(BUDGETS, found, strict=True)}

    figures = {name: at_budgets(score) for name, score in judged.scores.items()}
    first = figures["ours"][f"recall@{BUDGETS[0]}"]
    return {
        "view": judged.dataset.view.name,
        "windows": len(judged.scored),
        "events": len(judged.labels),
        "entity_days": round(entity_days(judged), 1),
        **{name: at["recall"] for name, at in figures["ours"].items()},
        "delay": first["delay"],
        **figures,
        "arms": {name: at_budgets(score) for name, score in judged.arms.items()},
    }


def _series(judged: Contest) -> dict[str, Any]:
    entity = judged.scored["entity"].rank("dense").to_numpy()
    rows = [at for e in np.unique(entity) if judged.anomalous[at := entity == e].any()]

    def means(score: Vector) -> dict[str, float]:
        metrics = {"ap": average_precision, "vus_pr": vus_pr}
        return {
            name: float(np.mean([measure(judged.anomalous[at], score[at]) for at in rows]))
            for name, measure in metrics.items()
        }

    figures: dict[str, Any] = {name: means(score) for name, score in judged.scores.items()}
    sizes = {"samples": len(judged.scored) + judged.cold, "entities": len(rows)}
    return sizes | {"ap": figures["ours"]["ap"]} | figures


def _units(judged: Contest, seed: int) -> dict[str, Any]:
    labelled, scores = unit_scores(judged, seed=seed)
    figures: dict[str, Any] = {
        name: {"ap": average_precision(labelled, score)} for name, score in scores.items()
    }
    rows = judged.dataset.layout == "rows"
    sizes: dict[str, Any] = {"rows" if rows else "windows": len(judged.scored)}
    if not rows:
        sizes |= {"view": judged.dataset.view.name, "entities": len(labelled)}
    sizes["anomalous"] = int(labelled.sum())
    return sizes | {"ap": figures["ours"]["ap"], "delay": None} | figures


def table_text(result: Mapping[str, Any]) -> str:
    """The figures of one data set as a table for a terminal."""
    if "skipped" in result:
        return f"{result['set']}: skipped: {result['skipped']}"
    by_name = {name: result[name] for name in CONTENDERS}
    by_name |= {f"our {name} alone": at for name, at in result.get("arms", {}).items()}
    columns = list(result["ours"])
    head = f"{result['set']} ({result['layout']})"
    if "entity_days" in result:
        head += f": {result['events']} events in {result['entity_days']} entity-days; "
        head += "recall at false alerts per entity-day, median / mean delay"
    lines = [head, " " * 28 + "".join(f"{column:>22}" for column in columns)]
    for name, at in by_name.items():
        lines.append(f"{name:<28}" + "".join(f"{_cell(at[column]):>22}" for column in columns))
    return "\n".join([*lines, *_budget_lines(result["budget"])])


def _budget_lines(told: Sequence[Mapping[str, Any]]) -> list[str]:
    if not told:
        return []
    lines = ["budget a day           got   of asked       interval"]
    for b in told:
        asked, interval = f"{amount(b['asked'])} {b['unit']}", f"{b['low']:.2f} to {b['high']:.2f}"
        state = f"{b['state']}: {b['why']}" if b["why"] else b["state"]
        lines.append(f"{asked:<14}{b['got']:>12.3g}{b['ratio']:>11.2f}{interval:>15}  {state}")
    return lines


def _cell(value: Any) -> str:
    if not isinstance(value, dict):
        return f"{value:.3f}"
    if value["delay"] is None:
        return f"{value['recall']:.3f} {'-':>13}"
    delays = f"{value['delay']:.1f} / {value['mean_delay']:.1f} s"
    return f"{value['recall']:.3f} {delays:>13}"
