"""Windows for charts: an entity's features over time with what was usual, and who was rare when.

What is sent is bounded whatever the range: several windows become one point, and that point is
the one farthest from what was usual, so that a spike is never lost between two pixels.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

import polars as pl
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from features.stream import EARLIEST
from features.view import FeatureView
from models.risk import severity
from serving.api.lake import DAY, HISTORY, banded, bounds, points_of, read, scored, view_of
from serving.api.matrices import wrong
from serving.api.shared import At, House, Time
from serving.auth import Viewer

__all__ = ["Lanes", "Series", "lanes_of", "router"]

router = APIRouter(prefix="/v1/views", tags=["windows"])

MOST_WINDOWS = 50_000
LEVELS = (24.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001)

Since = Annotated[Time | None, Query(description="By default a day before until.")]
Until = Annotated[Time | None, Query(description="By default now.")]
Entity = Annotated[str, Query(max_length=4_000)]
Features = Annotated[list[str], Query(min_length=1, max_length=12)]


class Line(BaseModel):
    """One feature over time; null where it is not known."""

    unit: str
    definition: str
    value: list[float | None]
    low: list[float | None] = Field(description="What was usual over the windows before.")
    high: list[float | None]


class Series(BaseModel):
    """An entity's windows as points; each list has one entry a point."""

    view: str
    entity: str
    seconds: float = Field(description="Length of a window.")
    windows: int
    at: list[int] = Field(description="Start, milliseconds since 1970 UTC.")
    features: dict[str, Line]
    per_day: list[float | None] = Field(description="The rarest score of a point, 1/day.")


class Lane(BaseModel):
    """An entity's rarest moments; null where it had no warm window."""

    entity: str
    most: float
    cells: list[float | None] = Field(description="Severity of the rarest score, 0 to 100.")


class Lanes(BaseModel):
    """The entities with the rarest windows, the rarest first."""

    view: str
    at: list[int] = Field(description="Start of each bucket, milliseconds since 1970 UTC.")
    lanes: list[Lane]
    entities: int
    levels: list[float] = Field(description="Thresholds, 1/day.")
    alerts_a_day: list[float] = Field(
        description="Windows a day at or below each; a run of one entity's windows counts once."
    )


@router.get("/{view}/windows")
def show_windows(
    view: str,
    entity: Entity,
    feature: Features,
    house: House,
    who: Viewer,
    now: At,
    since: Since = None,
    until: Until = None,
    points: Annotated[int, Query(ge=10, le=2_000)] = 360,
) -> Series:
    """Features of one entity over time."""
    found = view_of(view)
    if unknown := [name for name in feature if name not in found.names]:
        raise wrong("feature", unknown[0], f"one of {', '.join(found.names)}")
    since, until = bounds(since, until, now)
    if (until - since) / found.every > MOST_WINDOWS:
        raise wrong("since", since.isoformat(), f"at most {MOST_WINDOWS:,} windows before until")
    names = list(dict.fromkeys(feature))
    before = max(since - HISTORY * found.every, EARLIEST)
    rows = read(house, view, before, until, names, [entity]).sort("start")
    scores = scored(house, view, since, until, [entity])
    table = banded(rows, names).filter(pl.col("start") >= since)
    table = table.join(scores.select("start", "per_day"), on="start", how="left")
    shown = points_of(table.sort("start"), names, points)
    about = {one.name: one for one in found.features}
    return Series(
        view=view,
        entity=entity,
        seconds=found.every.total_seconds(),
        windows=len(table),
        at=shown["start"].dt.epoch("ms").to_list(),
        features={
            name: Line(
                unit=about[name].unit,
                definition=about[name].definition,
                value=_finite(shown[name]),
                low=_finite(shown[f"{name}__low"]),
                high=_finite(shown[f"{name}__high"]),
            )
            for name in names
        },
        per_day=_finite(shown["per_day"]),
    )


@router.get("/{view}/lanes")
def show_lanes(
    view: str,
    house: House,
    who: Viewer,
    now: At,
    since: Since = None,
    until: Until = None,
    lanes: Annotated[int, Query(ge=1, le=100)] = 8,
    buckets: Annotated[int, Query(ge=4, le=500)] = 48,
) -> Lanes:
    """Which entities were rare and when, and how many alerts a day each threshold would make."""
    found = view_of(view)
    since, until = bounds(since, until, now)
    if until - since > 31 * DAY:
        raise wrong("since", since.isoformat(), "at most 31 days before until")
    return lanes_of(house, found, since, until, lanes=lanes, buckets=buckets)


def lanes_of(
    house: Any, view: FeatureView, since: datetime, until: datetime, *, lanes: int, buckets: int
) -> Lanes:
    """The entities of a view with the rarest windows of a range."""
    scores = scored(house, view.name, since, until).filter(pl.col("warm")).sort("entity", "start")
    width = max((until - since) / buckets, timedelta(milliseconds=1))
    cells = (
        scores.with_columns(((pl.col("start") - since) / width).floor().cast(pl.Int64).alias("at"))
        .group_by("entity", "at")
        .agg(pl.col("per_day").min())
    )
    riskiest = cells.group_by("entity").agg(pl.col("per_day").min()).sort("per_day", "entity")
    shown = []
    for name, rarest in riskiest.head(lanes).iter_rows():
        row: list[float | None] = [None] * buckets
        for at, rate in cells.filter(pl.col("entity") == name).select("at", "per_day").iter_rows():
            row[at] = _severity(rate)
        shown.append(Lane(entity=name, most=_severity(rarest), cells=row))
    return Lanes(
        view=view.name,
        at=[int((since + number * width).timestamp() * 1000) for number in range(buckets)],
        lanes=shown,
        entities=len(riskiest),
        levels=list(LEVELS),
        alerts_a_day=_episodes(scores, view, (until - since) / DAY),
    )


def _episodes(scores: pl.DataFrame, view: FeatureView, days: float) -> list[float]:
    """Alerts a day at each level: windows of one entity within ten minutes are one alert."""
    counted = []
    for level in LEVELS:
        rare = scores.filter(pl.col("per_day") <= level)
        gap = pl.col("start").diff().over("entity")
        first = rare.filter(gap.is_null() | (gap > max(view.every, timedelta(minutes=10))))
        counted.append(round(len(first) / days, 3))
    return counted


def _severity(per_day: float) -> float:
    # As the risk book sees a score, begun earlier: 24 a day is where explanations begin.
    return round(severity(max(per_day, 1e-12) / 24.0), 1)


def _finite(values: pl.Series) -> list[float | None]:
    return values.fill_nan(None).round_sig_figs(6).to_list()
