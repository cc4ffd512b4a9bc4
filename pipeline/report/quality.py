"""How well each contender does, with the interval of each figure and of our lead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.bootstrap import bootstrap_interval, share_interval
from models.detector import Vector
from models.metrics import SEEN_WITHIN_S, Recall, event_recall
from models.range_metrics import average_precision, vus_pr
from pipeline.report.contest import Contest
from pipeline.report.results import Estimate, Quality

__all__ = [
    "BUDGETS",
    "Sighting",
    "entity_days",
    "loudest",
    "quality",
    "recalls",
    "seconds",
    "sightings",
    "unit_scores",
    "units",
]

BUDGETS = (0.02, 0.1, 0.5)
"""False alerts allowed for each entity and day."""

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
    """Each labelled stretch of events or series; none where whole entities are labelled.

    An event is seen by a window that ends within 3 minutes after its start, as
    `models.metrics.event_recall` has it; a stretch of a series by a sample inside it.
    """
    if not contest.moments:
        return []
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


def units(contest: Contest) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Which whole entity each row is of, numbered from 0, and which entities are labelled."""
    unit = contest.scored["entity"].rank("dense").cast(pl.Int64).to_numpy() - 1
    labelled = np.zeros(int(unit.max()) + 1, bool)
    labelled[unit[contest.anomalous]] = True
    return unit, labelled


def loudest(score: Vector, unit: NDArray[np.int64]) -> Rows:
    """The row of the highest score of each entity: an entity is as unusual as its rarest row."""
    order = np.lexsort((-score, unit))
    return order[np.unique(unit[order], return_index=True)[1]]


def unit_scores(contest: Contest, *, seed: int) -> tuple[NDArray[np.bool_], dict[str, Vector]]:
    """Which entities are labelled, and every contender's score of each entity.

    Labelled entities of which nothing is known, as accounts without a transaction, come last.
    """
    unit, labelled = units(contest)
    at = {name: score[loudest(score, unit)] for name, score in contest.scores.items()}
    if contest.dataset.layout == "events":
        known = contest.scored["entity"].implode()
        unknown = int((~contest.labels["entity"].unique().is_in(known)).to_numpy().sum())
        labelled = np.append(labelled, np.ones(unknown, bool))
        at = {n: np.append(s, np.full(unknown, s.min() - 1)) for n, s in at.items()}
    # The most of many numbers drawn would favour entities with many rows.
    at["random"] = np.random.default_rng(seed).random(len(labelled))
    return labelled, at


def quality(contest: Contest, *, seed: int) -> list[Quality]:
    """Recall at each budget of false alerts for events; precision areas for all else."""
    if not contest.moments:
        return _of_units(contest, seed)
    ways = {"events": _of_events, "series": _of_series}
    return ways[contest.dataset.layout](contest, seed)


def recalls(contest: Contest, score: Vector) -> list[Recall]:
    """What one score finds at each of `BUDGETS`."""
    entity = contest.scored["entity"]
    number = {name: code for code, name in enumerate(entity.unique().sort())}
    codes = entity.replace_strict(number, return_dtype=pl.Int64).to_numpy()
    events = [(number.get(s.entity, -1), s.onset) for s in sightings(contest)]
    allowed = [budget * entity_days(contest) for budget in BUDGETS]
    return event_recall(codes, seconds(contest.scored["end"]), score, events, allowed)


def entity_days(contest: Contest) -> float:
    """Days of all entities together."""
    return len(contest.scored) * contest.dataset.view.every.total_seconds() / 86_400


def _of_events(contest: Contest, seed: int) -> list[Quality]:
    known = sightings(contest)
    judged = {name: recalls(contest, score) for name, score in contest.scores.items()}
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


def _of_units(contest: Contest, seed: int) -> list[Quality]:
    """Average precision over rows, or over whole entities by their rarest rows."""
    labelled, at = unit_scores(contest, seed=seed)

    def precision(name: str) -> Callable[[Rows], float]:
        def of(drawn: Rows) -> float:
            hits = labelled[drawn]
            return average_precision(hits, at[name][drawn]) if hits.any() else 0.0

        return of

    drawn = np.arange(len(labelled))
    of = {name: precision(name) for name in contest.scores}
    contenders = {name: _estimate(measure, drawn, seed) for name, measure in of.items()}
    peer = max(PEERS, key=lambda name: contenders[name].value)
    lead = _estimate(lambda rows: of["ours"](rows) - of[peer](rows), drawn, seed)
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
