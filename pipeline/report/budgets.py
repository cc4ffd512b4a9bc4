"""Alert budgets on one data set: thresholds from the past, judged by what comes after."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import polars as pl

from models.metrics import SAME_ALERT_S
from models.walk_forward import Scores, Walk, judge, walk
from pipeline.report.contest import Contest
from pipeline.report.quality import seconds, sightings
from pipeline.report.results import Budget

__all__ = ["ASKED", "UNITS", "budgets", "days_of"]

ASKED = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""Alert budgets, alerts or windows a day."""

UNITS = {"alerts": SAME_ALERT_S, "windows": 0.0}
"""Seconds from which on two windows of an entity count as two."""


def budgets(contest: Contest, *, seed: int) -> list[Budget]:
    """What became of each budget, in alerts and then in windows; none where there is no time."""
    if not contest.timed:
        return []
    scores = _scores(contest)
    return [
        _told(contest, scores, walked, unit, seed)
        for unit, apart in UNITS.items()
        for walked in walk(scores, ASKED, apart=apart)
    ]


def days_of(contest: Contest) -> float:
    """Days of normal life: a window stands for the part of a day that its rate implies."""
    scores = _scores(contest)
    return float(scores.days[scores.normal].sum())


def _scores(contest: Contest) -> Scores:
    scored = contest.scored
    rate = scored["per_day"].to_numpy()
    return Scores(
        scored["entity"].rank("dense").cast(pl.Int64).to_numpy(),
        seconds(scored["end"]),
        np.where(scored["warm"].to_numpy(), rate, np.inf),
        contest.normal,
        scored["p"].to_numpy() / rate,
    )


def _told(contest: Contest, scores: Scores, walked: Walk, unit: str, seed: int) -> Budget:
    kept = judge(scores, walked, seed=seed, apart=UNITS[unit])
    seen = [s for s in sightings(contest) if len(s.rows) and walked.judged[s.rows].all()]
    firsts = [(s, s.rows[walked.alerting[s.rows]][:1]) for s in seen]
    delays = [scores.end[first[0]] - s.onset for s, first in firsts if len(first)]
    return Budget(
        unit,
        **asdict(kept),
        recall=len(delays) / len(seen) if seen else None,
        delay=float(np.median(delays)) if delays else None,
    )
