"""What the learned arms say of windows, as evidence for verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from features.view import FeatureView
from models.change import CERTAIN
from pipeline.scoring.reasons import Explanation
from serving.rules.breach import Breach
from serving.severity import Severity
from serving.verdict import Rarity

__all__ = ["Key", "changes", "rarities"]

Key = tuple[str, str, datetime]
"""View, entity and end of a window."""


def rarities(
    view: FeatureView,
    scores: pl.DataFrame,
    explained: Sequence[Explanation],
    *,
    threshold: float,
) -> dict[Key, tuple[datetime, Rarity]]:
    """Warm windows at or below a level of rarity, 1/day, each with its start."""
    why = {(one.entity, one.end): one for one in explained}
    worth = scores.filter(pl.col("warm") & (pl.col("per_day") <= threshold))
    found: dict[Key, tuple[datetime, Rarity]] = {}
    for row in worth.iter_rows(named=True):
        one = why.get((row["entity"], row["end"]))
        rarity = Rarity(
            per_day=row["per_day"],
            threshold=threshold,
            arms=one.arms if one else {},
            reasons=[dict(reason.__dict__) for reason in one.features] if one else [],
            counterfactual=one.counterfactual.words if one and one.counterfactual else "",
        )
        found[view.name, row["entity"], row["end"]] = row["start"], rarity
    return found


def changes(view: FeatureView, scores: pl.DataFrame) -> list[Breach]:
    """Levels that the change arm is certain have moved for days, which no single window shows."""
    if "raw_change" not in scores.columns:
        return []
    certain = scores.filter(pl.col("warm") & (pl.col("raw_change") >= CERTAIN))
    return [
        Breach(
            rule="learned.change",
            requirement="TP-A4",
            view=view.name,
            entity=row["entity"],
            start=row["start"],
            end=row["end"],
            since=row["end"],
            feature="change",
            operator=">=",
            limit=CERTAIN,
            unit="",
            value=row["raw_change"],
            severity=Severity.MEDIUM,
            family="change",
            summary=f"the usual level has been moving for days: {'; '.join(row['reasons'][:2])}",
            runbook="Compare its last weeks: a slow rise may be growth, poisoning or a leak.",
            exact=False,
            labels={"title": "Level changes"},
        )
        for row in certain.iter_rows(named=True)
    ]
