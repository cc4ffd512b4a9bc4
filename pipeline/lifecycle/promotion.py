"""Two models on the same unseen windows: the new one replaces the old only if nothing is worse."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf, isfinite, log, sqrt
from typing import Protocol

import numpy as np
import polars as pl

from features.view import FeatureView
from models.metrics import SAME_ALERT_S, SEEN_WITHIN_S

__all__ = ["Decision", "Figures", "Gate", "StepScorer", "judge", "shadow"]

STEP = 2_000
DAY = timedelta(days=1)
# Calibration is judged by the share of windows that should be the rarest hundredth.
RAREST = 0.01
CALIBRATED_WITHIN = 1.3
# By so much two runs of one model differ on a busy machine.
LATENCY_WITHIN = 1.5
# An alert count within two standard deviations of a Poisson count keeps the budget.
POISSON = 2.0


class StepScorer(Protocol):
    """What is judged: `pipeline.scoring.scorer.Scorer`, or anything that steps like it."""

    def step(self, windows: pl.DataFrame) -> pl.DataFrame:
        """Score windows with what was learned before them, then learn them."""
        ...


@dataclass(frozen=True)
class Figures:
    """How a model did on windows it had not learned.

    Parameters
    ----------
    days : float
        Length of the time judged.
    delays : tuple of (float or None)
        For each known event the seconds until the first alerting window ended, None if none did.
    alerts : int
        Alerts that saw no known event; windows of an entity within 10 minutes are one alert.
    calibration : float
        Share of normal windows said to be the rarest hundredth, over a hundredth; 1 is right.
    latency : float
        Seconds a window, in the fastest step.
    warm : float
        Share of the windows that the model could judge.
    """

    days: float
    delays: tuple[float | None, ...]
    alerts: int
    calibration: float
    latency: float
    warm: float

    @property
    def found(self) -> int:
        """Known events that an alert saw."""
        return sum(delay is not None for delay in self.delays)

    def metrics(self, who: str) -> dict[str, float]:
        """The figures as MLflow keeps them, each named ``<who>.<figure>``."""
        seen = [delay for delay in self.delays if delay is not None]
        return {
            f"{who}.events": float(len(self.delays)),
            f"{who}.found": float(self.found),
            **({f"{who}.delay_seconds": float(np.median(seen))} if seen else {}),
            f"{who}.alerts_per_day": self.alerts / self.days,
            f"{who}.calibration": self.calibration,
            f"{who}.microseconds_per_window": 1e6 * self.latency,
            f"{who}.warm": self.warm,
        }


@dataclass(frozen=True)
class Gate:
    """One comparison; ``limit`` is the worst value that would still have passed."""

    name: str
    passed: bool
    challenger: float
    limit: float

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "failed"
        return f"{self.name} {verdict}: {self.challenger:.3g} against {self.limit:.3g}"


@dataclass(frozen=True)
class Decision:
    """Whether the challenger replaces the champion, and by which comparisons."""

    gates: tuple[Gate, ...]

    @property
    def promote(self) -> bool:
        """Whether every gate was passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def metrics(self) -> dict[str, float]:
        """For each gate whether it was passed, and its limit, as MLflow keeps them."""
        names = {gate.name.replace(" ", "_"): gate for gate in self.gates}
        return {
            **{f"passed.{name}": float(gate.passed) for name, gate in names.items()},
            **{f"limit.{name}": gate.limit for name, gate in names.items() if isfinite(gate.limit)},
        }

    @property
    def why(self) -> str:
        """The gates that failed, or all of them."""
        failed = [gate for gate in self.gates if not gate.passed]
        return "; ".join(str(gate) for gate in failed or self.gates)


def judge(champion: Figures, challenger: Figures, *, budget: float) -> Decision:
    """Compare a challenger with the champion on what must not become worse.

    Parameters
    ----------
    budget : float
        Alerts a day of the view.

    Source: ours, issue 3 item 8.
    """
    both = [
        (old, new)
        for old, new in zip(champion.delays, challenger.delays, strict=True)
        if old is not None and new is not None
    ]
    old_delay, new_delay = np.median(both, axis=0) if both else (0.0, 0.0)
    expected = budget * challenger.days
    allowed = max(champion.alerts, expected + POISSON * sqrt(expected)) / challenger.days
    alerts = challenger.alerts / challenger.days
    error = max(_error(champion), log(CALIBRATED_WITHIN))
    slowest = LATENCY_WITHIN * champion.latency
    return Decision(
        (
            Gate("warm", challenger.warm >= champion.warm, challenger.warm, champion.warm),
            Gate(
                "known events found",
                challenger.found >= champion.found,
                challenger.found,
                champion.found,
            ),
            Gate("delay", bool(new_delay <= old_delay), float(new_delay), float(old_delay)),
            Gate("alerts a day", alerts <= allowed, alerts, allowed),
            Gate("latency", challenger.latency <= slowest, challenger.latency, slowest),
            Gate("calibration", _error(challenger) <= error, _error(challenger), error),
        )
    )


def _error(figures: Figures) -> float:
    return abs(log(figures.calibration)) if figures.calibration > 0 else inf


def shadow(
    view: FeatureView,
    scorers: Sequence[StepScorer],
    windows: pl.DataFrame,
    incidents: pl.DataFrame,
    *,
    budget: float,
    clock: Callable[[], float] = time.process_time,
) -> list[Figures]:
    """Let models follow the same windows, step by step in turn, and say how each did.

    Parameters
    ----------
    windows : polars.DataFrame
        Windows of the view in order, unseen by every model.
    incidents : polars.DataFrame
        `pipeline.lifecycle.incidents.INCIDENT` columns; those that begin within the windows are
        the known events.
    clock : callable
        Seconds of work of this process.
    """
    scores: list[list[pl.DataFrame]] = [[] for _ in scorers]
    fastest = [inf] * len(scorers)
    for i in range(0, len(windows), STEP):
        part = windows[i : i + STEP]
        for number, scorer in enumerate(scorers):
            began = clock()
            scores[number].append(scorer.step(part))
            # A step at the end may be too short to be timed.
            if len(part) == min(STEP, len(windows)):
                fastest[number] = min(fastest[number], (clock() - began) / len(part))
    first, last = windows["start"].min(), windows["end"].max()
    events = incidents.filter(
        pl.col("start").is_between(first, last, closed="left")
    ).with_row_index("event")
    days = (windows["start"].max() - first + view.every) / DAY  # type: ignore[operator]
    return [
        _figures(view, pl.concat(parts), events, budget, days, latency)
        for parts, latency in zip(scores, fastest, strict=True)
    ]


def _figures(
    view: FeatureView,
    scores: pl.DataFrame,
    events: pl.DataFrame,
    budget: float,
    days: float,
    latency: float,
) -> Figures:
    within = max(timedelta(seconds=SEEN_WITHIN_S), view.every)
    until = pl.max_horizontal("end", pl.col("start") + within)
    seeing = (
        scores.with_row_index("row")
        .join(events.with_columns(until.alias("until")), on="entity", suffix="_event")
        .filter(pl.col("end") > pl.col("start_event"), pl.col("start") < pl.col("until"))
    )
    # Cold scores claim nothing.
    flagged = pl.col("warm") & (pl.col("per_day") < budget)
    delay = (pl.col("end") - pl.col("start_event")).min().dt.total_microseconds() / 1e6
    first = dict(seeing.filter(flagged).group_by("event").agg(delay).iter_rows())
    incident = pl.Series(np.isin(np.arange(len(scores)), seeing["row"].to_numpy()))
    apart = max(timedelta(seconds=SAME_ALERT_S), 2 * view.every)
    gap = pl.col("end") - pl.col("end").shift().over("entity")
    alerts = (
        scores.with_columns(incident.alias("incident"))
        .filter(flagged)
        .sort("entity", "end")
        .with_columns((gap >= apart).fill_null(True).cum_sum().alias("alert"))
        .group_by("alert")
        .agg(pl.col("incident").any())
    )
    normal = scores.filter(~incident)
    rarest = int((normal["p"] < RAREST).sum())
    return Figures(
        days=days,
        delays=tuple(first.get(number) for number in range(len(events))),
        alerts=int((~alerts["incident"]).sum()),
        calibration=(rarest + 1) / (RAREST * len(normal) + 1),
        latency=latency,
        warm=float(scores["warm"].mean() or 0.0),  # type: ignore[arg-type]
    )
