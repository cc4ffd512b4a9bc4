"""The best and the worst calls of a data set, with the scores around them and the reasons."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.report.contest import AFTERMATH, Contest
from pipeline.report.quality import Sighting, loudest, seconds, sightings, units
from pipeline.report.results import Call

__all__ = ["ALERT_PER_DAY", "calls"]

ALERT_PER_DAY = 1.0
"""A call is an alert where normal life brings such a window less often, 1/day."""

FAINTEST, LOUDEST = 2, 2
AROUND, MOST_POINTS = 90, 240

Rows = NDArray[np.intp]


def calls(contest: Contest) -> list[Call]:
    """The clearest labelled moment, the faintest two, and the two rarest normal ones.

    Of rows, which have no rate, and of whole entities as many alert as are labelled.
    """
    return _of_windows(contest) if contest.moments else _of_units(contest)


def _of_windows(contest: Contest) -> list[Call]:
    p = contest.scored["p"].to_numpy()
    seen = [s for s in sightings(contest) if len(s.rows)]
    peaks = [int(s.rows[np.argmin(p[s.rows])]) for s in seen]
    order = sorted(range(len(seen)), key=lambda i: p[peaks[i]])
    chosen = [(peaks[i], seen[i]) for i in _ends(order)]
    told = [_call(contest, peak, sighting) for peak, sighting in chosen]
    return told + [_call(contest, peak, None) for peak in _rarest_normal(contest)]


def _ends(order: list[int]) -> list[int]:
    """The first and the last two, each once."""
    return order[:1] + order[1:][-FAINTEST:]


def _rarest_normal(contest: Contest) -> Iterator[int]:
    """The rarest normal windows, those of one entity further apart than an aftermath."""
    scored, apart = contest.scored, AFTERMATH.total_seconds()
    start = seconds(scored["start"])
    entity = scored["entity"].rank("dense").to_numpy()
    p = np.where(contest.normal, scored["p"].to_numpy(), np.inf)
    for _ in range(LOUDEST):
        peak = int(np.argmin(p))
        if not np.isfinite(p[peak]):
            return
        yield peak
        p[(entity == entity[peak]) & (np.abs(start - start[peak]) <= apart)] = np.inf


def _call(contest: Contest, peak: int, sighting: Sighting | None) -> Call:
    scored = contest.scored
    entity, start, _, p, per_day, warm = scored.row(peak)
    alerts = warm and per_day < ALERT_PER_DAY
    if sighting is None:
        kind = "false alarm" if alerts else "quiet"
    else:
        kind = "found" if alerts else "missed"
    own = np.flatnonzero((scored["entity"] == entity).to_numpy())
    times = seconds(scored["start"])[own]
    zero = start.timestamp() if sighting is None else sighting.onset
    end = start.timestamp() if sighting is None else max(start.timestamp(), sighting.until)
    first = max(0, int(np.searchsorted(times, zero)) - AROUND)
    last = min(len(own), int(np.searchsorted(times, end)) + AROUND)
    pieces = np.array_split(np.arange(first, last), min(MOST_POINTS, last - first))
    rarity = -np.log10(scored["p"].to_numpy()[own])
    return Call(
        kind,
        entity,
        f"{start:%Y-%m-%d %H:%M:%S}",
        p,
        per_day,
        contest.explain(peak),
        None if sighting is None else (0.0, round((sighting.until - zero) / 60, 3)),
        [round(float(times[piece[0]] - zero) / 60, 3) for piece in pieces],
        [round(float(rarity[piece].max()), 3) for piece in pieces],
        round(float(-np.log10(p / per_day * ALERT_PER_DAY)), 3),
    )


def _of_units(contest: Contest) -> list[Call]:
    unit, labelled = units(contest)
    peaks = loudest(contest.scores["ours"], unit)
    score, entity = contest.scores["ours"][peaks], contest.scored["entity"]
    order = np.argsort(-score, kind="stable")
    alerts = np.zeros(len(score), bool)
    alerts[order[: labelled.sum()]] = True
    chosen = [*_ends(order[labelled[order]].tolist()), *order[~labelled[order]][:LOUDEST].tolist()]
    kinds = {(True, True): "found", (True, False): "missed", (False, True): "false alarm"}
    rate = contest.scored["per_day"].to_list() if contest.timed else [None] * len(unit)
    return [
        Call(
            kinds.get((bool(labelled[i]), bool(alerts[i])), "quiet"),
            entity[int(peaks[i])],
            f"{contest.scored['start'][int(peaks[i])]:%Y-%m-%d %H:%M:%S}" if contest.timed else "",
            float(contest.scored["p"][int(peaks[i])]),
            rate[peaks[i]],
            contest.explain(int(peaks[i])),
        )
        for i in chosen
    ]
