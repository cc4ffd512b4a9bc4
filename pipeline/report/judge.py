"""From the scores of all contenders to the figures of one data set."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from pipeline.files import digest
from pipeline.report.budgets import budgets, days_of
from pipeline.report.calls import calls
from pipeline.report.contest import Contest
from pipeline.report.quality import quality
from pipeline.report.results import Cost, Drift, Level, SetResult, Slice

__all__ = ["DRIFT_FACTOR", "DRIFT_LEVEL", "judge"]

DRIFT_LEVEL, DRIFT_FACTOR = 0.1, 2.0
"""Normal scores drift where the share of them below this level changes by more than this."""

LEVELS = tuple(float(f"{10 ** (-half / 2):.1e}") for half in range(1, 13))
SLICES, FEWEST_A_SLICE = 10, 100


def judge(contest: Contest, *, seed: int, cost: Cost | None = None) -> SetResult:
    """Every figure of one data set."""
    dataset, scored = contest.dataset, contest.scored
    timed = contest.timed
    return SetResult(
        name=dataset.name,
        layout=dataset.layout,
        stream=dataset.stream,
        view=dataset.view.name if dataset.layout == "events" else "",
        digest=digest(_files(dataset.path))[:16],
        begin=_minute(scored["start"].min()) if timed else "",
        end=_minute(scored["end"].max()) if timed else "",
        rows=len(scored),
        normal=int(contest.normal.sum()),
        entities=1 if dataset.layout == "rows" else scored["entity"].n_unique(),
        labelled=int(contest.anomalous.sum()) if dataset.layout == "rows" else len(contest.labels),
        days=days_of(contest) if timed else None,
        cold=float((~scored["warm"]).sum() / len(scored)) if timed else 0.0,
        quality=quality(contest, seed=seed),
        budgets=budgets(contest, seed=seed),
        calibration=_calibration(contest),
        drift=_drift(contest) if timed else None,
        calls=calls(contest),
        cost=cost,
    )


def _minute(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if isinstance(time, datetime) else ""


def _files(folder: Path) -> list[Path]:
    return [folder / "meta.json", folder / "labels.csv", *sorted(folder.glob("*.parquet"))]


def _calibration(contest: Contest) -> list[Level]:
    """Down to the level at which ten normal rows are to be expected."""
    p = np.sort(contest.scored["p"].to_numpy()[contest.normal])
    levels = [level for level in LEVELS if level * len(p) >= SLICES]
    return [Level(at, float(np.searchsorted(p, at, side="right") / len(p))) for at in levels]


def _drift(contest: Contest) -> Drift | None:
    normal = contest.scored.filter(contest.normal).sort("start", maintain_order=True)
    if len(normal) < SLICES * FEWEST_A_SLICE:
        return None
    p = normal["p"].to_numpy()
    slices = []
    for rows in np.array_split(np.arange(len(p)), SLICES):
        median, p90, p99 = np.quantile(-np.log10(p[rows]), [0.5, 0.9, 0.99]).tolist()
        slices.append(Slice(f"{normal['start'][int(rows[0])]:%Y-%m-%d}", median, p90, p99))
    thirds = np.array_split(p <= DRIFT_LEVEL, 3)
    first, last = float(thirds[0].mean()), float(thirds[-1].mean())
    drifts = max(first, last) > DRIFT_FACTOR * min(first, last)
    return Drift(slices, DRIFT_LEVEL, first, last, drifts)
