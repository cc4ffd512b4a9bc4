"""What the pages read from the lake: windows, scores, what was usual, few points of many."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import polars as pl

from features.catalogue import VIEWS
from features.stream import EARLIEST
from features.view import FeatureView
from pipeline.lake.schema import SCORES, LakeError
from serving.api.matrices import wrong
from serving.api.problems import ProblemError

__all__ = ["DAY", "HISTORY", "banded", "bounds", "points_of", "read", "scored", "view_of"]

HISTORY = 360
"""So many windows before one say what was usual for it."""

DAY = timedelta(days=1)
LONGEST = timedelta(days=400)
# Tukey's fences (Exploratory Data Analysis, 1977), of a normal distribution 2.7 standard deviations
# about the middle: an incident of less than a quarter of the time hardly widens them.
OUTER, WIDER = 0.25, 1.5


def bounds(
    since: datetime | None, until: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The range that was asked for, in UTC.

    Raises
    ------
    ProblemError
        422 when it is empty, or too long, or not in the time of the lake.
    """
    until = (until or now).astimezone(UTC)
    if not EARLIEST + LONGEST < until <= now + DAY:
        raise wrong("until", until.isoformat(), "a time up to now")
    since = (since or until - DAY).astimezone(UTC)
    if not timedelta(0) < until - since <= LONGEST:
        raise wrong("since", since.isoformat(), f"up to {LONGEST.days} days before until")
    return since, until


def read(
    house: Any,
    view: str,
    since: datetime,
    until: datetime,
    columns: list[str],
    entities: list[str] | None = None,
) -> pl.DataFrame:
    """Windows of the lake, in no order; none where there are none yet.

    Raises
    ------
    ProblemError
        503 where the lake cannot be read.
    """
    keys = {name: VIEWS[view].schema[name] for name in ("entity", "start", "end")}
    empty = pl.DataFrame(schema=keys | dict.fromkeys(columns, pl.Float64()))
    try:
        if view not in house.lake.views():
            return empty
        wanted = house.lake.scan(view, since, until, entities)
        # A feature that is newer than the table has no column in it yet.
        known = set(wanted.collect_schema().names())
        missing = [pl.lit(None, pl.Float64).alias(name) for name in columns if name not in known]
        found: pl.DataFrame = wanted.with_columns(missing).select(*keys, *columns).collect()
        return found
    except (LakeError, pl.exceptions.PolarsError) as error:
        raise ProblemError(503, "Lake unreadable", str(error)) from error


def scored(
    house: Any,
    view: str,
    since: datetime,
    until: datetime,
    entities: list[str] | None = None,
) -> pl.DataFrame:
    """Scores of the lake: entity, start, per_day (null while cold), warm."""
    keys = {name: VIEWS[view].schema[name] for name in ("entity", "start")}
    empty = pl.DataFrame(schema={**keys, "per_day": pl.Float64(), "warm": pl.Boolean()})
    name = f"{SCORES}{view}"
    try:
        if name not in house.lake.tables():
            return empty
        found = house.lake.scan(name, since, until, entities, ["per_day", "warm"])
        warm = pl.when("warm").then("per_day").alias("per_day")
        rows: pl.DataFrame = found.with_columns(warm).select(empty.columns).collect()
        return rows
    except (LakeError, pl.exceptions.PolarsError) as error:
        raise ProblemError(503, "Lake unreadable", str(error)) from error


def banded(rows: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Add ``<name>__low`` and ``<name>__high``: what was usual over the windows before each.

    Parameters
    ----------
    rows : polars.DataFrame
        One row a time, in order.
    """

    def quantile(name: str, q: float) -> pl.Expr:
        past = pl.col(name).fill_nan(None).shift(1)
        return past.rolling_quantile(q, window_size=HISTORY, min_samples=20)

    columns = []
    for name in names:
        low, high = quantile(name, OUTER), quantile(name, 1.0 - OUTER)
        wider = WIDER * (high - low)
        # What was never below zero is not expected there.
        floor = pl.when(low >= 0).then(pl.max_horizontal(low - wider, pl.lit(0.0)))
        columns.append(floor.otherwise(low - wider).alias(f"{name}__low"))
        columns.append((high + wider).alias(f"{name}__high"))
    return rows.with_columns(columns)


def points_of(rows: pl.DataFrame, names: list[str], points: int) -> pl.DataFrame:
    """At most so many points: of several windows the value farthest from what was usual."""
    each = max(ceil(len(rows) / points), 1)

    def farthest(name: str) -> pl.Expr:
        value = pl.col(name)
        middle = (pl.col(f"{name}__low") + pl.col(f"{name}__high")) / 2
        distance = (value - middle.fill_null(value.mean())).abs().fill_null(-1.0)
        return value.get(distance.arg_max())

    bands = [f"{name}__{side}" for name in names for side in ("low", "high")]
    numbered = rows.with_columns((pl.int_range(pl.len()) // each).alias("point"))
    return (
        numbered.group_by("point", maintain_order=True)
        .agg(
            pl.col("start").first(),
            *(farthest(name).alias(name) for name in names),
            pl.col(bands).mean(),
            pl.col("per_day").min(),
        )
        .drop("point")
    )


def view_of(name: str) -> FeatureView:
    """The view of that name.

    Raises
    ------
    ProblemError
        404 where there is none.
    """
    if name not in VIEWS:
        raise ProblemError(404, "Not found", f"no view {name}")
    return VIEWS[name]
