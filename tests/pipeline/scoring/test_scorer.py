"""Scores come from the past alone, are rates, and say why."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.system import HOST_1M
from features.trading import SYMBOL_5S
from features.view import FeatureView
from models.detector import NotWarmError
from pipeline.scoring.scorer import SCORES, Scorer
from pipeline.scoring.words import label

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENTITIES = ("A", "B", "C")
STEP = 1_500
PEAK = 6_703
"""Row of a window whose main amounts are a thousand times their usual."""
FELT = [PEAK + len(ENTITIES) * n for n in range(SYMBOL_5S.recent // SYMBOL_5S.every)]
"""Rows of its entity's windows whose recent past holds it."""


def made_up(view: FeatureView, rows: int, *, seed: int = 0) -> pl.DataFrame:
    """Windows of three entities in order, every feature positive and noisy."""
    rng = np.random.default_rng(seed)
    turn = np.arange(rows) // len(ENTITIES)
    start = pl.Series([NOON + int(n) * view.every for n in turn])
    return pl.DataFrame(
        {
            "entity": [ENTITIES[i % len(ENTITIES)] for i in range(rows)],
            "start": start,
            "end": start + view.every,
            **{name: np.exp(0.5 * rng.normal(size=rows)) for name in view.names},
        },
        schema=dict(view.schema),
    )


def with_peak(windows: pl.DataFrame) -> pl.DataFrame:
    peak = pl.int_range(pl.len()) == PEAK
    return windows.with_columns(
        pl.when(peak).then(pl.col(name) * 1000.0).otherwise(pl.col(name)) for name in SYMBOL_5S.main
    )


def stepped(scorer: Scorer, windows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        [scorer.step(windows[i : i + STEP]) for i in range(0, max(len(windows), 1), STEP)]
    )


@pytest.fixture(scope="module")
def windows() -> pl.DataFrame:
    return with_peak(made_up(SYMBOL_5S, 7_500))


@pytest.fixture(scope="module")
def scores(windows: pl.DataFrame) -> pl.DataFrame:
    return stepped(Scorer(SYMBOL_5S), windows)


def test_a_row_of_scores_for_each_window_in_its_order(
    windows: pl.DataFrame, scores: pl.DataFrame
) -> None:
    names = ("isolation_forest", "half_space_trees", "bands", "change", "surge")
    arms = {f"p_{name}": pl.Float64() for name in names}
    assert dict(scores.schema) == SCORES | arms | {"raw_change": pl.Float64()}
    key = ["entity", "start", "end"]
    assert_frame_equal(scores.select(key), windows.select(key))


def test_a_score_is_a_rate(scores: pl.DataFrame) -> None:
    p = scores["p"].to_numpy()
    assert ((p > 0) & (p <= 1)).all()
    np.testing.assert_allclose(scores["score"], -np.log10(p))
    np.testing.assert_allclose(scores["per_day"], p * len(ENTITIES) * 86_400 / 5)


@pytest.mark.parametrize("cut", [1, 1_499, 1_500, 3_700, PEAK - 1])
def test_nothing_later_changes_a_score(
    windows: pl.DataFrame, scores: pl.DataFrame, cut: int
) -> None:
    other = made_up(SYMBOL_5S, len(windows), seed=99).with_columns(pl.col(*SYMBOL_5S.names) * 50.0)
    changed = stepped(Scorer(SYMBOL_5S), pl.concat([windows[:cut], other[cut:]]))
    assert_frame_equal(changed[:cut], scores[:cut], check_exact=True)
    assert not changed[cut:]["p"].equals(scores[cut:]["p"])


def test_a_shorter_history_has_the_same_scores(windows: pl.DataFrame, scores: pl.DataFrame) -> None:
    assert_frame_equal(
        stepped(Scorer(SYMBOL_5S), windows[:4_000]), scores[:4_000], check_exact=True
    )


def test_the_same_seed_gives_the_same_scores_and_another_does_not(
    windows: pl.DataFrame, scores: pl.DataFrame
) -> None:
    same = stepped(Scorer(SYMBOL_5S), windows)
    assert_frame_equal(same, scores, check_exact=True)
    other = stepped(Scorer(SYMBOL_5S, seed=1), windows)
    assert not other["p_isolation_forest"].equals(scores["p_isolation_forest"])


def test_cold_is_said_and_nothing_is_rare_then(scores: pl.DataFrame) -> None:
    first = scores[:STEP]
    assert not first["warm"].any()
    assert (first.select(pl.col("^p_.*$").min()) == 1.0).row(0) == (True,) * 5
    assert first["p"].min() == 1.0


def test_what_is_warm_stays_warm(scores: pl.DataFrame) -> None:
    warm = scores["warm"].to_numpy()
    assert warm.any()
    assert (np.diff(warm.astype(int)) >= 0).all()


def test_a_surge_of_the_main_amounts_is_the_rarest_window(scores: pl.DataFrame) -> None:
    by_rarity = scores.with_row_index().filter("warm").sort("p")
    assert set(by_rarity["index"][: len(FELT)]) == set(FELT)
    assert by_rarity["per_day"][0] < 0.1
    assert by_rarity["p"][len(FELT)] > 1e3 * by_rarity["p"][0]


def test_a_reason_names_feature_actual_and_expected(scores: pl.DataFrame) -> None:
    reasons = scores["reasons"][PEAK].to_list()
    assert 1 <= len(reasons) <= 3
    assert len(told_of(reasons) & set(SYMBOL_5S.main)) == len(reasons)
    for text in reasons:
        assert re.search(r"\d.* against \d.* expected", text), text


def told_of(reasons: list[str]) -> set[str]:
    """The features that reasons speak of."""
    return {f.name for f in SYMBOL_5S.features if any(label(f) in text for text in reasons)}


def test_only_what_is_rarer_than_once_an_hour_is_explained(scores: pl.DataFrame) -> None:
    explained = scores.filter(scores["reasons"].list.len() > 0)
    assert len(explained) >= len(FELT)
    assert (explained["per_day"] < 24).all()
    assert explained["warm"].all()


def test_an_empty_step_changes_nothing(windows: pl.DataFrame, scores: pl.DataFrame) -> None:
    scorer = Scorer(SYMBOL_5S)
    parts = []
    for i in range(0, 4_500, STEP):
        assert scorer.step(windows.clear()).schema == scores.schema
        parts.append(scorer.step(windows[i : i + STEP]))
    assert_frame_equal(pl.concat(parts), scores[:4_500], check_exact=True)


def test_a_history_is_run_in_steps_that_its_length_decides(
    windows: pl.DataFrame, scores: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.scoring.scorer.STEP", STEP)
    assert_frame_equal(Scorer(SYMBOL_5S).run(windows), scores, check_exact=True)


def test_features_that_are_never_known_are_left_out(windows: pl.DataFrame) -> None:
    accounts = ["unique_buyers", "unique_sellers", "self_match_share"]
    assert set(accounts) <= set(SYMBOL_5S.names)
    unknown = windows.with_columns(pl.lit(None, dtype=pl.Float64).alias(name) for name in accounts)
    scores = stepped(Scorer(SYMBOL_5S), unknown)
    assert scores.with_row_index().filter("warm").sort("p")["index"][0] in FELT
    told = scores["reasons"].explode().drop_nulls().to_list()
    assert told
    assert not told_of(told) & set(accounts)


def test_a_view_without_main_amounts_is_scored_by_the_distance_to_normal() -> None:
    assert not HOST_1M.main
    rng = np.random.default_rng(3)
    cpu = 20.0 + 5.0 * rng.random(9_000)
    cpu[8_500] = 100.0
    windows = made_up(HOST_1M, 9_000).with_columns(
        pl.Series("cpu_mean", cpu), pl.lit(None, dtype=pl.Float64).alias("cpu_steal_mean")
    )
    scores = stepped(Scorer(HOST_1M), windows)
    assert [name for name in scores.columns if name.startswith("p_")] == [
        "p_isolation_forest",
        "p_half_space_trees",
        "p_bands",
        "p_change",
        "p_nearest_normal",
    ]
    rarest = scores.with_row_index().filter("warm").sort("p").row(0, named=True)
    assert rarest["index"] == 8_500
    # One metric of sixteen is enough, and it is named.
    assert rarest["per_day"] < 1
    assert "100" in rarest["reasons"][0]
    forests = scores.select("p_isolation_forest", "p_half_space_trees").min_horizontal()
    assert forests.min() >= 1 / 9_001  # forests have a greatest score: no tail is made up for them


def test_a_scorer_that_knows_nothing_is_not_saved(tmp_path: pytest.TempPathFactory) -> None:
    scorer = Scorer(replace(SYMBOL_5S))
    assert not scorer.fitted
    with pytest.raises(NotWarmError):
        scorer.save(tmp_path / "model.npz")  # type: ignore[operator]
    assert not list(tmp_path.iterdir())  # type: ignore[attr-defined]
