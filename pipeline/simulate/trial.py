"""Scenarios on trial: `python -m pipeline.simulate.trial` plays them and says what stood out.

No rules, no labels: a platform lives quietly, then comes a day with every scenario and its twin,
one in the morning and one in the evening. The views' scorers see it all once, in order of time.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from features.catalogue import VIEWS
from features.extract import extract
from features.silence import batch_windows
from features.view import FeatureView
from pipeline.scoring.scorer import Scorer
from pipeline.simulate.exchange import PAIRS, Pair
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS
from pipeline.simulate.scenarios.scenario import Kind

__all__ = ["DEMANDS", "RESULT", "Demand", "false_alerts", "results", "summary", "trial"]

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
LEVEL = 1.0
"""A window that normal life brings less than once a day is an alert."""
STEP = 2_000
"""Windows scored at once; a scorer turns warm between steps."""
SAME_MOMENT = timedelta(minutes=10)
RESULT = {
    "scenario": pl.String(),
    "kind": pl.String(),
    "view": pl.String(),
    "per_day": pl.Float64(),
    "rank": pl.Int64(),
    "delay": pl.Float64(),
}
"""Of a scenario in a view: how often normal life brings its rarest window, 1/day; how many quiet
moments are rarer, plus 1; seconds from the start of the stage to its first alert, or null."""

FALSE = {"view": pl.String(), "per_day": pl.Float64()}


@dataclass(frozen=True)
class Demand:
    """What a trial needs: quiet days first, the pairs and the activity, and who plays when.

    ``hours`` maps a scenario's number to the hours of the last day at which one of attack and
    decoy begins, and the other.
    """

    quiet: int
    pairs: tuple[Pair, ...]
    activity: float
    hours: Mapping[int, tuple[float, float]]


DEMANDS = (
    Demand(
        1, PAIRS, 1.0,
        {3: (1, 13), 4: (2.5, 14.5), 5: (4, 16), 6: (5.5, 17.5), 9: (7, 19), 7: (8, 20)},
    ),
    # Views of few machines take days to get the 7,000 windows that a scorer needs.
    Demand(3, PAIRS[-1:], 0.02, {8: (9, 15)}),
)  # fmt: skip
"""S10 takes three weeks, and S1 and S2 a chain: they are not on trial here."""
SKIPPED = {"_5s"}
"""Views of 5 s, with 12 times as many windows, are left to those who have the time."""


def trial(seed: int, demand: Demand) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Play every scenario that is asked for on one platform.

    Returns
    -------
    results, false
        Columns `RESULT`; and ``view, per_day``, the alerts a day that no attack explains.
    """
    platform = Platform(seed, START, pairs=demand.pairs, activity=demand.activity)
    kinds: tuple[Kind, Kind] = ("attack", "decoy") if seed % 2 else ("decoy", "attack")
    last = START + DAY * demand.quiet
    truth = pl.concat(
        [
            scenario.play(platform, last + timedelta(hours=hour), kind)
            for scenario in SCENARIOS.values()
            for kind, hour in zip(kinds, demand.hours.get(scenario.number, ()), strict=False)
        ]
    )
    slices = [platform.advance(START + DAY * (day + 1)) for day in range(demand.quiet + 1)]
    found, false = [], []
    for name in truth["view"].unique().sort():
        if any(name.endswith(skipped) for skipped in SKIPPED):
            continue
        view = VIEWS[name]
        events = pl.concat([part[view.stream.name] for part in slices])
        scores = _scores(view, events.filter(pl.col("ts") < last + DAY), seed)
        later = scores.filter(pl.col("warm") & (pl.col("start") >= last))
        mine = truth.filter(pl.col("view") == name)
        found.append(results(later, mine))
        alerts = false_alerts(later, mine)
        false.append(pl.DataFrame([(name, alerts)], schema=FALSE, orient="row"))
    return pl.concat(found), pl.concat(false)


def _scores(view: FeatureView, events: pl.DataFrame, seed: int) -> pl.DataFrame:
    # Accounts trade and visit seldom: their silence is no news, and would be millions of windows.
    seldom = "account" in view.entity
    windows = extract(view, events) if seldom else batch_windows(view, events)
    scorer = Scorer(view, seed=seed)
    scores = pl.concat([scorer.step(part) for part in windows.iter_slices(STEP)])
    if seldom:
        # What is rare in a day then counts by the windows that there are.
        days = (scores["end"].max() - scores["start"].min()) / DAY  # type: ignore[operator]
        scores = scores.with_columns((pl.col("p") * (len(scores) / days)).alias("per_day"))
    return scores


def results(scores: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """How rare the windows of each scenario are, columns `RESULT`; of one view."""
    touched = _touched(scores, truth)
    quiet = scores.join(_spoilt(scores, truth), on=["entity", "start"], how="anti")
    levels = _moments(quiet, float("inf")).get_column("per_day").sort()
    rows = []
    for (scenario, kind), part in truth.group_by("scenario", "kind", maintain_order=True):
        mine = touched.filter((pl.col("scenario") == scenario) & (pl.col("kind") == kind))
        best = mine["per_day"].min()
        alerts = mine.filter(pl.col("per_day") < LEVEL).sort("end")
        delay = alerts.select((pl.col("end") - pl.col("start_truth")).dt.total_seconds()).head(1)
        rank = None if best is None else int((levels < best).sum()) + 1
        first = delay["end"][0] if len(delay) else None
        rows.append((scenario, kind, part["view"][0], best, rank, first))
    return pl.DataFrame(rows, schema=RESULT, orient="row")


def false_alerts(scores: pl.DataFrame, truth: pl.DataFrame) -> float | None:
    """Alerts a day that no attack explains; a decoy explains nothing. None without scores."""
    spoilt = _spoilt(scores, truth.filter(pl.col("kind") == "attack"))
    quiet = scores.join(spoilt, on=["entity", "start"], how="anti")
    if quiet.is_empty():
        return None
    every: timedelta = quiet["end"][0] - quiet["start"][0]
    return len(_moments(quiet, LEVEL)) / (quiet["start"].n_unique() * (every / DAY))


def _touched(scores: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Windows of the truth's entities that overlap it."""
    return scores.join(truth, on="entity", suffix="_truth").filter(
        (pl.col("start") < pl.col("end_truth")) & (pl.col("end") > pl.col("start_truth"))
    )


def _spoilt(scores: pl.DataFrame, truth: pl.DataFrame) -> pl.DataFrame:
    """Windows of any entity within an hour after something happened, or while it did."""
    spans = truth.select("start", pl.col("end") + timedelta(hours=1)).unique()
    inside = [
        scores.filter((pl.col("start") < end) & (pl.col("end") > start)).select("entity", "start")
        for start, end in spans.iter_rows()
    ]
    return pl.concat(inside).unique() if inside else scores.select("entity", "start").clear()


def _moments(scores: pl.DataFrame, level: float) -> pl.DataFrame:
    """Alerts of an entity less than ten minutes apart are one; ``entity, start, per_day``."""
    begins = (pl.col("start") - pl.col("end").shift(1) >= SAME_MOMENT) | (
        pl.col("entity") != pl.col("entity").shift(1)
    )
    return (
        scores.filter(pl.col("per_day") < level)
        .sort("entity", "start")
        .with_columns(begins.fill_null(True).cum_sum().alias("moment"))
        .group_by("moment")
        .agg(pl.col("entity", "start").first(), pl.col("per_day").min())
    )


def summary(found: pl.DataFrame, false: pl.DataFrame) -> str:
    """The table over all seeds, a row for each scenario and view."""
    lines = [
        f"{'':4} {'view':28} {'attack found':>12} {'per day':>9} {'rank':>6} {'delay s':>8}"
        f" {'decoy alerts':>12} {'per day':>9}   false alerts/day"
    ]
    for (scenario, view), part in found.group_by("scenario", "view", maintain_order=True):
        both = {kind: part.filter(pl.col("kind") == kind) for kind in ("attack", "decoy")}
        cells = []
        for kind, of in both.items():
            alerts = int((of["per_day"] < LEVEL).sum())
            cells.append(f"{f'{alerts} of {len(of)}':>12} {_number(of['per_day'].median()):>9}")
            if kind == "attack":
                cells.append(
                    f"{_number(of['rank'].median()):>6} {_number(of['delay'].median()):>8}"
                )
        alone = false.filter(pl.col("view") == view)["per_day"].mean()
        lines.append(f"{scenario:4} {view:28} {' '.join(cells)}   {_number(alone)}")
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else "-"


def main() -> None:
    """Play the trials of the seeds given and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    both = [trial(seed, demand) for seed in parser.parse_args().seeds for demand in DEMANDS]
    found, false = (pl.concat(part) for part in zip(*both, strict=True))
    print(summary(found.sort("scenario", "view"), false))


if __name__ == "__main__":
    main()
