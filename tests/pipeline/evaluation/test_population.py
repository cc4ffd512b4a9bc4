"""Whole entities are judged by one another, whatever their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from features.catalogue import VIEWS
from features.view import FeatureView
from pipeline.evaluation.population import score_population

MAIN, PLAIN = VIEWS["calls.transaction_1s"], VIEWS["system.host_1m"]
BOTH = pytest.mark.parametrize("view", [MAIN, PLAIN], ids=["main amounts", "none"])


def windows(view: FeatureView, n: int = 300) -> pl.DataFrame:
    """Alike but for the last one, whose every feature is ten times that of the others."""
    X = np.random.default_rng(0).lognormal(sigma=0.3, size=(n, len(view.names)))
    X[-1] *= 10
    start = datetime(2026, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(X, schema=list(view.names))
    keys = pl.DataFrame({"entity": [f"e{i:03}" for i in range(n)]}).with_columns(
        start=pl.lit(start), end=pl.lit(start + timedelta(minutes=1))
    )
    return pl.concat([keys, frame], how="horizontal")


@BOTH
def test_the_one_that_did_most_is_the_rarest(view: FeatureView) -> None:
    score, p = score_population(view, windows(view), seed=0)
    assert int(np.argmax(score)) == 299
    assert p[299] == p.min() < 0.01
    assert ((p > 0) & (p <= 1)).all()


@BOTH
def test_the_order_of_entities_does_not_matter_to_the_ranking(view: FeatureView) -> None:
    given = windows(view)
    order = np.random.default_rng(1).permutation(len(given))
    (score, _), (mixed, _) = (
        score_population(view, frame, seed=0) for frame in (given, given[order])
    )
    if view is MAIN:
        np.testing.assert_allclose(score[order], mixed, rtol=1e-9)
    assert int(order[np.argmax(mixed)]) == 299


def test_a_unit_of_amounts_does_not_matter() -> None:
    given = windows(MAIN)
    other = given.with_columns(pl.col(MAIN.main) * 1e6)
    for one, two in zip(
        score_population(MAIN, given, seed=0), score_population(MAIN, other, seed=0), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_amounts_that_never_happen_are_nothing() -> None:
    idle = windows(MAIN).with_columns(pl.lit(0.0).alias(name) for name in MAIN.main)
    score, p = score_population(MAIN, idle, seed=0)
    assert (score == 0).all()
    assert (p == 1).all()
