"""Series are scored by their past, and what is planted in them is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from models.detector import Matrix
from models.kernels.neighbours import exponential_mean
from models.nearest_normal import NearestNormal
from models.range_metrics import average_precision
from pipeline.evaluation.dataset import COLUMNS
from pipeline.evaluation.peers import mean_clipped_z
from pipeline.evaluation.series import PROBATION_MOST, score_series

START, MINUTE = datetime(2026, 1, 30, tzinfo=UTC), timedelta(minutes=1)
BOTH = pytest.mark.parametrize("train", [None, 400], ids=["online", "split"])


def series(X: Matrix, *, entity: str = "a", train: int | None = None) -> pl.DataFrame:
    """Samples a minute apart; the first ``train`` of them are history."""
    n = len(X)
    times = pl.datetime_range(
        START, START + (n - 1) * MINUTE, MINUTE, eager=True, time_unit="us"
    ).alias("ts")
    split = (
        [] if train is None else [pl.Series("split", ["train"] * train + ["test"] * (n - train))]
    )
    metrics = [pl.Series(f"m{i:02}", X[:, i]) for i in range(X.shape[1])]
    return pl.DataFrame([times, pl.Series("entity", [entity] * n), *split, *metrics])


def scored(frame: pl.DataFrame, step: timedelta = MINUTE) -> pl.DataFrame:
    return score_series(frame, step=step, seed=0)


def noise(n: int, d: int = 3, *, seed: int = 0, memory: float = 0.0) -> Matrix:
    """Stationary noise; each sample is ``memory`` times the one before and something new."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    for i in range(1, n):
        X[i] += memory * X[i - 1]
    return X


@BOTH
@pytest.mark.parametrize("at", [500, 850, 1_099, 1_100, 1_199])
def test_no_score_looks_ahead(train: int | None, at: int) -> None:
    X = noise(1_200)
    whole = scored(series(X, train=train))
    X[at:] += np.random.default_rng(at).normal(size=X[at:].shape) * 100
    changed = scored(series(X, train=train))
    rows = at - (train or 0)
    # A block's probabilities come from the blocks before it: no sample of it looks at another.
    assert_frame_equal(changed[:rows], whole[:rows], check_exact=True)
    assert changed["score"][rows] != whole["score"][rows]


@BOTH
def test_history_after_the_last_block_is_not_needed(train: int | None) -> None:
    # Longer than five thousand samples the time of probation no longer depends on the length.
    X = noise(5_600, 1)
    whole, part = (scored(series(X[:n], train=train)) for n in (5_600, 5_250))
    assert_frame_equal(whole[: len(part)], part, check_exact=True)


@BOTH
def test_entities_are_independent_but_for_the_rate_of_all(train: int | None) -> None:
    parts = [
        series(noise(900, seed=seed), entity=name, train=train) for seed, name in enumerate("abc")
    ]
    alone = [scored(part) for part in parts]
    mixed = pl.concat(parts).sort("ts", maintain_order=True)
    together = scored(mixed).sort("entity", maintain_order=True)
    expected = pl.concat(alone).with_columns(pl.col("per_day") * 3)
    assert_frame_equal(together, expected, rel_tol=1e-12)
    assert_frame_equal(together.drop("per_day"), expected.drop("per_day"), check_exact=True)


@pytest.mark.parametrize(("step", "a_day"), [(MINUTE, 1440), (timedelta(minutes=5), 288)])
def test_a_rate_is_the_probability_times_the_samples_of_a_day(step: timedelta, a_day: int) -> None:
    found = scored(series(noise(600)), step)
    np.testing.assert_allclose(found["per_day"], found["p"] * a_day, rtol=1e-12)
    assert (found["end"] - found["start"] == step).all()


@pytest.mark.parametrize("n", [1, 5, 6, 7, 20, 100, 1_000, 6_000])
def test_in_probation_nothing_is_claimed(n: int) -> None:
    found = scored(series(noise(n, 1)))
    probation = min(int(0.15 * n), PROBATION_MOST) or n
    assert len(found) == n
    assert found["warm"].to_list() == [False] * probation + [True] * (n - probation)
    cold = found.filter(~pl.col("warm"))
    assert (cold["p"] == 1).all()
    assert (cold["score"] == 0).all()


@BOTH
def test_a_row_for_each_sample_to_be_scored_with_the_columns_of_the_layout(
    train: int | None,
) -> None:
    frame = series(noise(700), train=train)
    found = scored(frame)
    assert found.columns == COLUMNS
    tested = frame[train or 0 :]
    assert found["start"].to_list() == tested["ts"].to_list()
    assert found["entity"].unique().to_list() == ["a"]
    assert found.null_count().sum_horizontal().item() == 0
    assert found["p"].is_between(0, 1).all()
    assert (found["p"] > 0).all()
    if train:
        assert found["warm"].all()


def test_a_score_is_the_running_mean_of_distances_of_metrics_and_their_running_means() -> None:
    X = noise(700)
    both = np.hstack([X, exponential_mean(X, 5.0)])
    detector = NearestNormal(list("abcdef")).fit(both[:400], seed=0)
    expected = exponential_mean(detector.score(both)[:, None], 20.0)[400:, 0]
    np.testing.assert_array_equal(scored(series(X, train=400))["score"], expected)


@BOTH
def test_the_order_of_rows_in_the_file_does_not_matter(train: int | None) -> None:
    frame = series(noise(700), train=train)
    assert_frame_equal(
        scored(frame.sample(fraction=1, shuffle=True, seed=1)), scored(frame), check_exact=True
    )


@BOTH
def test_a_missing_value_is_the_one_before_it(train: int | None) -> None:
    X = noise(800)
    gaps, filled = X.copy(), X.copy()
    gaps[[0, 500, 600, 601, 602], 1] = np.nan
    filled[0, 1], filled[500, 1], filled[600:603, 1] = 0.0, X[499, 1], X[599, 1]
    expected = scored(series(filled, train=train))
    assert_frame_equal(scored(series(gaps, train=train)), expected, check_exact=True)
    absent = series(gaps, train=train).with_columns(pl.col("m01").fill_nan(None))
    assert_frame_equal(scored(absent), expected, check_exact=True)


@BOTH
def test_a_metric_that_says_nothing_changes_no_order(train: int | None) -> None:
    X = noise(800)
    quiet = np.hstack([X, np.full((800, 2), 7.0)])
    one, other = (scored(series(each, train=train)) for each in (X, quiet))
    np.testing.assert_allclose(one["score"], other["score"] * np.sqrt(5 / 3), rtol=1e-4)


def test_the_share_done_is_told_up_to_all() -> None:
    told: list[float] = []
    frame = pl.concat([series(noise(50), entity=name) for name in "abcd"])
    score_series(frame, step=MINUTE, seed=0, progress=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


PLANTED = slice(3_150, 3_270)


def machine(kind: str, seed: int) -> Matrix:
    """A load with a day of its own, what follows it, and two that do not; one anomaly."""
    rng, n = np.random.default_rng(seed), 4_000
    load = 3 * np.sin(2 * np.pi * np.arange(n) / 200)
    X = np.column_stack([load, 2 * load, np.zeros(n), np.full(n, 5.0)])
    X += rng.normal(size=X.shape) * [0.2, 0.2, 1, 1]
    if kind == "level":
        X[PLANTED, 2] += 4
    elif kind == "frozen":
        X[PLANTED, 0] = X[PLANTED.start, 0]
    elif kind == "parted":
        X[PLANTED, 1] *= -1
    else:
        X[PLANTED.start : PLANTED.start + 5, 3] += 15
    return X


@BOTH
@pytest.mark.parametrize(
    # A level that is new in one metric any score by the metric sees; that metrics no longer
    # belong together only one that looks at them together.
    ("kind", "least", "lead"),
    [("level", 0.75, 0.95), ("frozen", 0.3, 3.0), ("parted", 0.6, 5.0)],
)
def test_a_planted_stretch_is_found(
    train: int | None, kind: str, least: float, lead: float
) -> None:
    train = train and 2_000
    for seed in range(3):
        X = machine(kind, seed)
        found = scored(series(X, train=train)).filter("warm")
        first = len(X) - len(found)
        anomalous = np.zeros(len(X), bool)
        anomalous[PLANTED] = True
        ours = average_precision(anomalous[first:], found["score"].to_numpy())
        trivial = mean_clipped_z(X[: train or None], X[first:])
        assert ours > least
        assert ours > lead * average_precision(anomalous[first:], trivial)


@BOTH
def test_a_planted_spike_is_the_rarest_moment(train: int | None) -> None:
    train = train and 2_000
    for seed in range(3):
        found = scored(series(machine("spike", seed), train=train))
        rarest = found.sort("score", descending=True).row(0, named=True)
        assert 0 <= (rarest["start"] - START) / MINUTE - PLANTED.start < 20
        # None of the scores before was as high.
        assert rarest["p"] < (1 / 2_000 if train else 1 / 2_400)


def rare(frames: list[pl.DataFrame]) -> float:
    """The share of samples with a probability below 1 %."""
    return float(np.mean([(frame.filter("warm")["p"] < 0.01).mean() for frame in frames]))


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_online_one_in_a_hundred_of_stationary_noise_has_one_percent(memory: float) -> None:
    # Scores are means over some 30 samples: 40,000 of them are worth a thousand or so.
    frames = [scored(series(noise(8_000, 4, seed=s, memory=memory))) for s in range(6)]
    assert 0.005 < rare(frames) < 0.02


def test_after_a_history_one_in_a_hundred_of_noise_has_one_percent() -> None:
    frames = [scored(series(noise(10_000, 4, seed=s), train=4_000)) for s in range(6)]
    assert 0.004 < rare(frames) < 0.02
