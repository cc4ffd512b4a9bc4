"""The rarest moments of a table of scores: neighbouring windows told as one."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from pipeline.scoring.scorer import EXPLAINED_PER_DAY
from pipeline.scoring.words import how_rare

__all__ = ["how_rare", "rarest"]

SAME_MOMENT = timedelta(minutes=10)


def rarest(scores: pl.DataFrame, *, most: int) -> pl.DataFrame:
    """The moments that normal life brings least often, the rarest first.

    Windows of an entity that normal life brings less than once an hour, less than 10 minutes
    apart, are one moment, told by its rarest window.

    Parameters
    ----------
    scores : polars.DataFrame
        From `pipeline.scoring.scorer.Scorer`; windows scored while it was cold are left out.
    most : int
        How many moments at most.

    Returns
    -------
    polars.DataFrame
        ``entity, start, end`` of the moment, ``peak`` (start of its rarest window), ``score``,
        ``per_day``, ``reasons``.
    """
    rare = pl.col("warm") & (pl.col("per_day") < EXPLAINED_PER_DAY)
    begins = (pl.col("start") - pl.col("end").shift(1) >= SAME_MOMENT) | (
        pl.col("entity") != pl.col("entity").shift(1)
    )
    peak = pl.col("score").arg_max()
    return (
        scores.filter(rare)
        .sort("entity", "start")
        .with_columns(begins.fill_null(True).cum_sum().alias("moment"))
        .group_by("moment")
        .agg(
            pl.col("entity").first(),
            pl.col("start").min(),
            pl.col("end").max(),
            pl.col("start").get(peak).alias("peak"),
            pl.col("score").max(),
            pl.col("per_day").min(),
            pl.col("reasons").get(peak),
        )
        .sort("per_day", "entity", "start")
        .drop("moment")
        .head(most)
    )
