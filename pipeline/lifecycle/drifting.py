"""Whether the windows that the stream wrote into the lake still look like those of training."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from features.view import FeatureView
from pipeline.lake import Lake
from pipeline.lifecycle.drift import DriftWatch

__all__ = ["drift_json", "drift_text", "drifting"]

KEY = ["entity", "start"]


def drifting(
    view: FeatureView, lake: Lake, *, trained: datetime, budget: float = 1.0
) -> DriftWatch:
    """Everything in the lake after training against everything before it.

    The lake has each window once, so this is the same whatever the stream went through, and it
    needs no state of its own.

    Parameters
    ----------
    trained : datetime
        Until when the serving model was trained, aware UTC.
    budget : float
        False alarms a month, of all columns together.
    """
    windows = lake.windows(view.name)
    name = f"scores/{view.name}"
    scores = windows.select(KEY)
    if name in lake.tables():
        scores = scores.join(lake.windows(name), on=KEY, how="left", maintain_order="left")
    else:
        scores = scores.with_columns(pl.lit(1.0).alias("p"), pl.lit(False).alias("warm"))
    arms = [column for column in scores.columns if column == "p" or column.startswith("p_")]
    # What was never scored is as unknown as what was scored cold.
    scores = scores.with_columns(pl.col("warm").fill_null(False), pl.col(arms).fill_null(1.0))
    before = windows["start"] < trained
    watch = DriftWatch(view, windows.filter(before), scores.filter(before), budget=budget)
    watch.update(windows.filter(~before), scores.filter(~before))
    return watch


def drift_json(view: FeatureView, trained: datetime, watch: DriftWatch) -> dict[str, Any]:
    """What is watched and what drifts, as JSON values."""
    watched = [
        column
        for column, is_watched in zip(watch.columns, watch.monitor.watched, strict=True)
        if is_watched
    ]
    drifts = [
        {name: _plain(value) for name, value in vars(drift).items()} for drift in watch.drifts
    ]
    return {
        "view": view.name,
        "trained": trained.isoformat(),
        "watched": watched,
        "drifts": drifts,
    }


def drift_text(told: Mapping[str, Any]) -> str:
    """The same for people."""
    if not told["watched"]:
        return f"{told['view']}: not watched: less than two days of history before training"
    if not told["drifts"]:
        return f"{told['view']}: as in training, {len(told['watched'])} features and scores"
    return "\n".join(f"{told['view']}: {drift['words']}" for drift in told["drifts"])


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
