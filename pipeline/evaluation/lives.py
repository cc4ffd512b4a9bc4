"""A whole history in one window an entity, where labels name entities and not moments."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl

from features.extract import entity_name, extract
from features.view import SILENCE, FeatureView

__all__ = ["lives"]

AGE = timedelta(days=365 * 200)
"""Longer than any history: windows begin with the epoch, so all events are in the first."""


def lives(view: FeatureView, events: pl.DataFrame) -> pl.DataFrame:
    """Measure each entity's whole history as one window, from its first event to its last.

    Parameters
    ----------
    view : FeatureView
        What to measure; only the length of its windows is another.
    events : polars.DataFrame
        Valid events of the view's stream.

    Returns
    -------
    polars.DataFrame
        The view's columns, sorted by (end, entity): in the order in which each life is known in
        full. ``silence`` is 0.
    """
    at = pl.col(view.stream.time)
    named = events.select(entity_name(view), at)
    spans = named.group_by("entity").agg(at.min().alias("start"), at.max().alias("end"))
    whole = extract(replace(view, every=AGE), events).drop("start", "end", SILENCE.name)
    return (
        whole.join(spans, on="entity")
        .with_columns(pl.lit(0.0).alias(SILENCE.name))
        .select(*view.schema)
        .sort("end", "entity")
    )
