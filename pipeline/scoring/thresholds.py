"""From the last weeks of a view to how many alerts a day follow from which level of rarity."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from models.budget import AlertBudget
from pipeline.lake import Lake

__all__ = ["HISTORY", "alert_budget"]

HISTORY = timedelta(days=14)
"""What alerts are counted over."""
DAY = timedelta(days=1)
READ = ["entity", "start", "end", "per_day", "warm"]


def alert_budget(view: str, lake: Lake, *, until: datetime) -> AlertBudget:
    """What alerting at each level would have raised in the fortnight before ``until``.

    Windows that were scored cold say nothing. Incidents are not left out: alerts that were real
    make the level stricter, by no more than there were of them. With little history each window
    counts as an alert of its own: too few, never too many.
    """
    table = f"scores/{view}"
    if table not in lake.tables():
        return AlertBudget(np.empty(0), np.empty(0))
    scores = lake.windows(table, since=until - HISTORY, until=until, columns=READ)
    warm = scores.filter(pl.col("warm") & pl.col("per_day").is_not_null())
    if warm.is_empty():
        return AlertBudget(np.empty(0), np.empty(0))
    entity = warm["entity"].rank("dense").to_numpy().astype(np.int64)
    end = warm["end"].to_physical().to_numpy() / 1e6
    begin = min(warm["start"].to_list())
    days = (max(warm["end"].to_list()) - begin) / DAY
    return AlertBudget.fit(entity, end, warm["per_day"].to_numpy(), days=days)
