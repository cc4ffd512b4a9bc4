"""From the scores of all contenders to the figures of one data set."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from models.metrics import SAME_ALERT_S
from pipeline.files import digest
from pipeline.report.calls import calls
from pipeline.report.contest import Contest
from pipeline.report.quality import quality, seconds, sightings
from pipeline.report.results import Budget, Cost, Drift, Level, SetResult, Slice

__all__ = ["ASKED", "DRIFT_FACTOR", "DRIFT_LEVEL", "TOLERANCE", "judge", "kept"]

ASKED = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Alert budgets, alerts a day."""

TOLERANCE = 0.3
"""How far the alerts raised may lie from those asked for, as a share of them."""

DRIFT_LEVEL, DRIFT_FACTOR = 0.1, 2.0
"""Normal scores drift where the share of them below this level changes by more than this."""

LEVELS = tuple(float(f"{10 ** (-half / 2):.1e}") for half in range(1, 13))
SLICES, FEWEST_A_SLICE = 10, 100
# Deviations of a count by chance, its square root, that a difference must exceed to be one.
SURE = 2.0


def judge(contest: Contest, *, seed: int, cost: Cost | None = None) -> SetResult:
    """Every figure of one data set."""
    dataset, scored = contest.dataset, contest.scored
    timed = dataset.layout != "rows"
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
        entities=scored["entity"].n_unique() if timed else 1,
        labelled=len(contest.labels) if timed else int(contest.anomalous.sum()),
        days=_days(contest) if timed else None,
        cold=float((~scored["warm"]).sum() / len(scored)) if timed else 0.0,
        quality=quality(contest, seed=seed),
        budgets=_budgets(contest) if timed else [],
        calibration=_calibration(contest),
        drift=_drift(contest) if timed else None,
        calls=calls(contest),
        cost=cost,
    )


def kept(asked: float, raised: float, days: float) -> str:
    """Whether a budget was kept: ``kept``, ``over``, ``under``, or ``untold``.

    >>> [kept(10, 11, 10), kept(10, 20, 10), kept(10, 0, 10), kept(0.1, 0.3, 10)]
    ['kept', 'over', 'under', 'untold']
    """
    expected, count = asked * days, raised * days
    if abs(count - expected) <= TOLERANCE * expected:
        return "kept" if TOLERANCE * expected >= np.sqrt(expected) else "untold"
    if abs(count - expected) <= SURE * np.sqrt(expected):
        return "untold"
    return "over" if count > expected else "under"


def _minute(time: object) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if isinstance(time, datetime) else ""


def _files(folder: Path) -> list[Path]:
    return [folder / "meta.json", folder / "labels.csv", *sorted(folder.glob("*.parquet"))]


def _days(contest: Contest) -> float:
    """Days of normal life: a window stands for the part of a day that its rate implies."""
    part = contest.scored["p"].to_numpy() / contest.scored["per_day"].to_numpy()
    return float(part[contest.normal].sum())


def _budgets(contest: Contest) -> list[Budget]:
    scored, days = contest.scored, _days(contest)
    if not days:
        return []
    entity = scored["entity"].rank("dense").to_numpy()
    start, end = seconds(scored["start"]), seconds(scored["end"])
    known = sightings(contest)
    rate = np.where(scored["warm"].to_numpy(), scored["per_day"].to_numpy(), np.inf)
    found = []
    for asked in ASKED:
        rows = np.flatnonzero(rate < asked)
        apart = start[rows[1:]] - end[rows[:-1]] >= SAME_ALERT_S
        begins = np.r_[True, apart | (entity[rows[1:]] != entity[rows[:-1]])][: len(rows)]
        # An alert that reaches into what is labelled, or its aftermath, is no false one.
        alert = np.cumsum(begins) - 1
        other = np.unique(alert[~contest.normal[rows]])
        raised = (begins.sum() - len(other)) / days
        firsts = [(s, s.rows[rate[s.rows] < asked][:1]) for s in known]
        delays = [end[first[0]] - s.onset for s, first in firsts if len(first)]
        found.append(
            Budget(
                asked,
                float(contest.normal[rows].sum() / days),
                float(raised),
                asked * days,
                kept(asked, float(raised), days),
                len(delays) / max(len(known), 1),
                float(np.median(delays)) if delays else None,
            )
        )
    return found


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
