"""Windows without events: an entity that falls silent is still measured."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from features.extract import US, entity_name, extract
from features.stream import TIME
from features.view import SILENCE, FeatureView

__all__ = ["batch_windows", "fill_silence", "known_entities"]


def batch_windows(view: FeatureView, events: pl.DataFrame) -> pl.DataFrame:
    """Every window of a history, the empty ones included.

    Parameters
    ----------
    view : FeatureView
        What to measure.
    events : polars.DataFrame
        All valid events of the history, in any order.

    Returns
    -------
    polars.DataFrame
        As `extract`, and for each entity a row for every window from its first event until
        the last window of the history or until the view's ``forget_after``.
    """
    return fill_silence(view, extract(view, events))


def known_entities(view: FeatureView, last_events: pl.DataFrame) -> pl.DataFrame:
    """When each entity was last heard of: ``entity, start, heard`` (microseconds)."""
    heard = pl.col(view.stream.time).to_physical()
    every = view.every // US
    known = last_events.select(
        entity_name(view), (heard - heard % every).alias("start"), heard.alias("heard")
    )
    return known.group_by("entity").max() if view.remember else known


def fill_silence(
    view: FeatureView,
    windows: pl.DataFrame,
    *,
    known: pl.DataFrame | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Add a row for each window in which a known entity had no event.

    Parameters
    ----------
    windows : polars.DataFrame
        Windows with events, from `extract`.
    known : polars.DataFrame, optional
        Entities heard of before these windows, from `known_entities`.
    since, until : datetime, optional
        Half-open range of window starts to fill; by default up to the last window given.

    Returns
    -------
    polars.DataFrame
        All windows, sorted by (start, entity). An empty window holds each feature's ``silent``
        value, and the growing ``silence``.
    """
    every = view.every // US
    forget = view.forget_after // view.every * every
    if windows.is_empty() and (known is None or until is None):
        return windows
    end = pl.col("end").to_physical()
    heard = windows.select(
        "entity",
        pl.col("start").to_physical(),
        (end - (pl.col("silence") * 1e6).round().cast(pl.Int64)).alias("heard"),
    )
    stop = pl.lit(windows["end"].max() if until is None else until, dtype=TIME).to_physical()
    empty = (
        (heard if known is None else pl.concat([known, heard]))
        .sort("entity", "start")
        .with_columns(following=pl.col("start").shift(-1).over("entity"))
        .with_columns(
            first=pl.max_horizontal(
                pl.col("start") + every, pl.lit(since, dtype=TIME).to_physical()
            ),
            last=pl.min_horizontal(
                "following",
                pl.col("start") + forget + every,
                stop,
            ),
        )
        .filter(pl.col("first") < pl.col("last"))
        .select("entity", "heard", start=pl.int_ranges("first", "last", every))
        .explode("start")
    )
    silent = [pl.lit(f.silent, dtype=pl.Float64).alias(f.name) for f in view.features[:-1]]
    rows = empty.select(
        "entity",
        pl.col("start").cast(TIME),
        (pl.col("start") + every).cast(TIME).alias("end"),
        *silent,
        ((pl.col("start") + every - pl.col("heard")) / 1e6).alias(SILENCE.name),
    )
    return pl.concat([windows, rows]).sort("start", "entity")
