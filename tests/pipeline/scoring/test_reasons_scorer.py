"""A scorer explains its rare windows with what it knew when it scored them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S
from pipeline.scoring.scorer import Scorer

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEP = 2_700


def made_up(rows: int) -> pl.DataFrame:
    """Windows of one entity, every feature noisy, the main ones a thousand times usual at last."""
    rng = np.random.default_rng(4)
    start = pl.Series([NOON + n * SYMBOL_5S.every for n in range(rows)])
    columns = {name: np.exp(0.5 * rng.normal(size=rows)) for name in SYMBOL_5S.names}
    for name in SYMBOL_5S.main:
        columns[name][-9:] *= 1000.0
    return pl.DataFrame(
        {"entity": ["A"] * rows, "start": start, "end": start + SYMBOL_5S.every, **columns},
        schema=dict(SYMBOL_5S.schema),
    )


def test_rare_windows_are_explained_where_asked_and_that_changes_no_score() -> None:
    windows = made_up(3 * STEP)
    asked, plain = Scorer(SYMBOL_5S), Scorer(SYMBOL_5S)
    found = 0
    for i in range(0, len(windows), STEP):
        step = asked.step(windows[i : i + STEP], explain_below=0.1)
        assert_frame_equal(step, plain.step(windows[i : i + STEP]), check_exact=True)
        rare = step.filter(pl.col("warm") & (pl.col("per_day") < 0.1))
        keys = rare.select("entity", "start", "end", "per_day").rows()
        assert [(e.entity, e.start, e.end, e.per_day) for e in asked.explained] == keys
        assert plain.explained == []
        for explained, texts in zip(asked.explained, rare["reasons"].to_list(), strict=True):
            words = [reason.words for reason in explained.features]
            assert texts == words[: len(texts)]
            assert {r.feature for r in explained.features[:3]} == set(SYMBOL_5S.main)
            assert explained.counterfactual is not None
        found += len(rare)
    assert found >= 9
