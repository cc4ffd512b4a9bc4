"""What the lake has of a view: windows and their scores, cut into steps as a stream would."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.catalogue import VIEWS
from features.stream import TIME
from features.view import FeatureView
from models.explain import evidence_shares
from pipeline.lake import Lake
from pipeline.lake.schema import SCORES
from pipeline.scoring.arm import arms_of
from pipeline.scoring.inputs import inputs
from pipeline.scoring.reasons import Explanation

__all__ = ["Past", "past_of", "views_in"]


@dataclass(frozen=True)
class Past:
    """Windows of a view and their scores, row by row, sorted by (start, entity)."""

    view: FeatureView
    windows: pl.DataFrame
    scores: pl.DataFrame
    explained: tuple[Explanation, ...] = ()

    def steps(self, times: Sequence[datetime], threshold: float) -> Iterator[Past]:
        """What ended between each time and the next."""
        ends = pl.Series(times, dtype=TIME)
        cuts = self.windows["end"].search_sorted(ends, side="right").to_list()
        rare = self.scores["warm"] & (self.scores["per_day"] <= threshold)
        waiting = deque(self._why(np.flatnonzero(rare.fill_null(False).to_numpy())))
        for low, high in pairwise(cuts):
            told = []
            while waiting and waiting[0][0] < high:
                told.append(waiting.popleft()[1])
            yield Past(self.view, self.windows[low:high], self.scores[low:high], tuple(told))

    def _why(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, Explanation]]:
        """Which arms made rows rare; their features would need the scorers of the time."""
        arms = arms_of(inputs(self.view), seed=0)
        columns = [f"p_{arm.name}" for arm in arms]
        if not set(columns) <= set(self.scores.columns):
            return
        some = self.scores[rows]
        p = np.ascontiguousarray(some.select(columns).fill_null(1.0).to_numpy())
        shares = evidence_shares(p, np.array([arm.weight for arm in arms]))
        keys = some.select("entity", "start", "end", "per_day").rows()
        for row, (entity, start, end, rate), given in zip(
            rows.tolist(), keys, shares.tolist(), strict=True
        ):
            named = {arm.name: share for arm, share in zip(arms, given, strict=True) if share}
            yield row, Explanation(entity, start, end, rate, named, (), None)


def past_of(
    lake: Lake, view: FeatureView, since: datetime | None = None, until: datetime | None = None
) -> Past:
    """What the lake has of a view; a window that nothing has scored is cold.

    Raises
    ------
    LakeError
        The lake cannot be read.
    """
    kept = lake.windows(view.name, since, until)
    missing = [pl.lit(None, kind).alias(n) for n, kind in view.schema.items() if n not in kept]
    windows = kept.with_columns(missing).select(*view.schema)
    cold = {"per_day": pl.Float64(), "warm": pl.Boolean()}
    scores = windows.select("entity", "start", "end")
    table = f"{SCORES}{view.name}"
    if table in lake.tables():
        found = lake.windows(table, since, until).drop("end")
        scores = scores.join(found, on=["entity", "start"], how="left", maintain_order="left")
    nothing = [pl.lit(None, kind).alias(n) for n, kind in cold.items() if n not in scores.columns]
    return Past(view, windows, scores.with_columns(nothing).with_columns(_warm()))


def views_in(lake: Lake) -> list[FeatureView]:
    """The views of the catalogue that the lake has windows of."""
    return [VIEWS[name] for name in lake.views() if name in VIEWS]


def _warm() -> pl.Expr:
    return pl.col("warm").fill_null(False) & pl.col("per_day").is_not_null()
