"""What each feature of a window may be at its time of day and week, in the feature's unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.stream import TIME
from models.explain import expected_ranges
from pipeline.scoring.inputs import value_of

if TYPE_CHECKING:
    from pipeline.scoring.reasons import Evidence

__all__ = ["RANGES", "expected", "expected_table"]

RANGES = {
    "entity": pl.String(),
    "start": TIME,
    "end": TIME,
    "feature": pl.String(),
    "low": pl.Float64(),
    "expected": pl.Float64(),
    "high": pl.Float64(),
}
"""Columns of a table of expected ranges, a row a window and feature, in the feature's unit."""


def expected(evidence: Evidence, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """What each feature of each row may be: low, expected, high; shape (3, rows, d).

    What is typical for the entity, moved by the season, and the range that was usual around it;
    NaN where nothing is known yet.
    """
    typical = evidence.deviations.typical[rows]
    for arm in evidence.arms:
        found = expected_ranges(arm.detector, arm.of(evidence.seen[rows]))
        if found is not None:
            return np.stack([value_of(evidence.view, typical, part) for part in found])
    return np.full((3, *typical.shape), np.nan)


def expected_table(evidence: Evidence, windows: pl.DataFrame) -> pl.DataFrame:
    """The same for all windows of a step, as a table with the columns `RANGES`."""
    found = expected(evidence, np.arange(len(windows)))
    features = pl.DataFrame({"feature": pl.Series(evidence.view.names, dtype=pl.String)})
    table = windows.select("entity", "start", "end").join(
        features, how="cross", maintain_order="left_right"
    )
    names = ("low", "expected", "high")
    return table.with_columns(
        pl.Series(name, part.ravel()) for name, part in zip(names, found, strict=True)
    )
