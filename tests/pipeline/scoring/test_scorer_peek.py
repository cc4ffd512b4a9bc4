"""Peeking: what a step would say, and nothing learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.catalogue import VIEWS
from features.stream import TIME
from pipeline.scoring.scorer import Scorer

VIEW = VIEWS["trades.symbol_5s"]
START = datetime(2026, 3, 1, tzinfo=UTC)


def windows(first: int, count: int) -> pl.DataFrame:
    """Windows of three symbols in order."""
    rng = np.random.default_rng(first)
    values = rng.lognormal(sigma=0.5, size=(count, len(VIEW.names)))
    values[rng.random(values.shape) < 0.02] = np.nan
    number = pl.int_range(first, first + count, eager=True)
    start = pl.lit(START).cast(TIME) + VIEW.every * (number // 3)
    return pl.DataFrame(values, schema=VIEW.names).with_columns(
        ("S" + (number % 3).cast(pl.String)).alias("entity"),
        start.alias("start"),
        (start + VIEW.every).alias("end"),
    )


def peek(scorer: Scorer, of: pl.DataFrame) -> Any:
    """The tail probabilities of windows."""
    start = of["start"].to_physical().to_numpy()
    values = of.select(VIEW.names).to_numpy(order="c")
    return scorer.peek(of["entity"].to_list(), start, values)[1]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    found = Scorer(VIEW)
    found.step(windows(0, 3_000))
    return found


def test_a_peek_says_what_the_next_step_says(scorer: Scorer) -> None:
    following = windows(3_000, 1)
    said = peek(scorer, following)
    again = Scorer(VIEW)
    again.step(windows(0, 3_000))
    assert said.tolist() == again.step(following)["p"].to_list()


def test_a_peek_changes_nothing(scorer: Scorer) -> None:
    def everything() -> list[Any]:
        parts = [scorer.baseline.state(), scorer.guard.state(), scorer.patience.state()]
        parts += [arm.detector.state() for arm in scorer.arms if arm.detector.warm]
        parts += [arm.calibration.state() for arm in scorer.arms]
        return [
            value.tobytes() if isinstance(value, np.ndarray) else value
            for part in parts
            for value in part.values()
        ]

    before = everything()
    peek(scorer, windows(3_000, 50).with_columns(("new" + pl.col("entity")).alias("entity")))
    assert everything() == before


def test_each_window_is_judged_alone(scorer: Scorer) -> None:
    some = windows(3_000, 40)
    alone = [peek(scorer, some[i : i + 1])[0] for i in range(len(some))]
    # The tangent of several numbers at once may differ in its last digit.
    np.testing.assert_allclose(peek(scorer, some), alone, rtol=1e-12)
    np.testing.assert_allclose(peek(scorer, some[::-1]), alone[::-1], rtol=1e-12)


def test_a_window_of_long_ago_is_judged_by_what_is_known_now(scorer: Scorer) -> None:
    old = windows(3_000, 3).with_columns(pl.col("start") - timedelta(days=3_000))
    assert np.isfinite(peek(scorer, old)).all()
