"""How well each contender does, with the interval of each figure and of our lead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.bootstrap import bootstrap_interval, share_interval
from models.detector import Vector
from models.metrics import SEEN_WITHIN_S, event_recall
from models.range_metrics import average_precision, vus_pr
from pipeline.evaluate import BUDGETS
from pipeline.report.contest import Contest
from pipeline.report.results import Estimate, Quality

__all__ = ["Sighting", "quality", "seconds", "sightings"]

PEERS = ("forest", "trivial")

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Sighting:
    """A labelled stretch: its onset in seconds, and the rows that can see it, in order of time."""

    entity: str
    onset: float
    until: float
    rows: Rows


def seconds(times: pl.Series) -> Vector:
    """Times as seconds since 1970."""
    given: Vector = times.to_physical().to_numpy() / 1e6
    return given


def sightings(contest: Contest) -> list[Sighting]:
    """Each labelled stretch of events or series.

    An event is seen by a window that ends within 3 minutes after its start, as
    `models.metrics.event_recall` has it; a stretch of a series by a sample inside it.
    """
    scored = contest.scored
    entity, start, end = scored["entity"], seconds(scored["start"]), seconds(scored["end"])
    found = []
    for name, begin, until in contest.labels.iter_rows():
        first, last = begin.timestamp(), until.timestamp()
        if contest.dataset.layout == "events":
            inside = (end > first) & (end <= first + SEEN_WITHIN_S)
        else:
            inside = (start >= first) & (start <= last)
        rows = np.flatnonzero((entity == name).to_numpy() & inside)
        found.append(Sighting(name, first, last, rows))
    return found


def quality(contest: Contest, *, seed: int) -> list[Quality]:
    """Recall at each budget of false alerts for events; precision areas for series and rows."""
    ways = {"events": _of_events, "series": _of_series, "rows": _of_rows}
    return ways[contest.dataset.layout](contest, seed)


def _of_events(contest: Contest, seed: int) -> list[Quality]:
    scored = contest.scored
    number = {name: code for code, name in enumerate(scored["entity"].unique().sort())}
    codes = scored["entity"].replace_strict(number, return_dtype=pl.Int64).to_numpy()
    end = seconds(scored["end"])
    known = sightings(contest)
    events = [(number.get(s.entity, -1), s.onset) for s in known]
    days = len(scored) * contest.dataset.view.every.total_seconds() / 86_400
    allowed = [budget * days for budget in BUDGETS]
    judged = {
        name: event_recall(codes, end, score, events, allowed)
        for name, score in contest.scores.items()
    }
    found = []
    for i, budget in enumerate(BUDGETS):
        seen = {}
        for name, score in contest.scores.items():
            threshold = judged[name][i].threshold
            least = np.inf if threshold is None else threshold
            seen[name] = np.array([float((score[s.rows] >= least).any()) for s in known])
        delay = {name: at[i].delay for name, at in judged.items()}
        found.append(_compared("recall", seen, seed, budget, delay))
    return found


def _of_series(contest: Contest, seed: int) -> list[Quality]:
    entity = contest.scored["entity"].rank("dense").to_numpy()
    judged = [rows for e in np.unique(entity) if contest.anomalous[rows := entity == e].any()]
    metrics = {"ap": average_precision, "vus_pr": vus_pr}
    found = []
    for metric, measure in metrics.items():
        values = {
            name: np.array([measure(contest.anomalous[rows], score[rows]) for rows in judged])
            for name, score in contest.scores.items()
        }
        found.append(_compared(metric, values, seed))
    return found


def _of_rows(contest: Contest, seed: int) -> list[Quality]:
    def precision(name: str) -> Callable[[Rows], float]:
        score = contest.scores[name]

        def of(drawn: Rows) -> float:
            hits = contest.anomalous[drawn]
            return average_precision(hits, score[drawn]) if hits.any() else 0.0

        return of

    units = np.arange(len(contest.anomalous))
    of = {name: precision(name) for name in contest.scores}
    contenders = {name: _estimate(measure, units, seed) for name, measure in of.items()}
    peer = max(PEERS, key=lambda name: contenders[name].value)
    lead = _estimate(lambda drawn: of["ours"](drawn) - of[peer](drawn), units, seed)
    return [Quality("ap", None, contenders, {}, peer, lead)]


def _estimate(measure: Callable[[Rows], float], units: Rows, seed: int) -> Estimate:
    return Estimate(measure(units), *bootstrap_interval(measure, len(units), seed=seed))


def _compared(
    metric: str,
    values: dict[str, Vector],
    seed: int,
    budget: float | None = None,
    delay: dict[str, float | None] | None = None,
) -> Quality:
    """Means over events or entities; shares of events where there is a budget."""
    contenders = {}
    for name, each in values.items():
        if budget is None:
            interval = bootstrap_interval(_mean(each), len(each), seed=seed)
        else:
            interval = share_interval(each, seed=seed)
        contenders[name] = Estimate(float(each.mean()), *interval)
    peer = max(PEERS, key=lambda name: contenders[name].value)
    ahead = values["ours"] - values[peer]
    lead = _estimate(_mean(ahead), np.arange(len(ahead)), seed)
    return Quality(metric, budget, contenders, delay or {}, peer, lead)


def _mean(values: Vector) -> Callable[[Rows], float]:
    return lambda drawn: float(values[drawn].mean())
