"""A view that has changed is told in words; entities that come and go are no change."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.trading import SYMBOL_5S
from models.persistence import ModelFileError, read_state, write_state
from pipeline.lifecycle.drift import DriftWatch
from pipeline.scoring.words import amount

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
LEARNED, FOLLOWED = 7 * 24, 3 * 24
A_HOUR = 6
SIZES = {"A": 1.0, "B": 100.0, "C": 10_000.0}


def made_up(
    hours: range, seed: int = 0, entities: dict[str, float] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A few windows an hour with a daily season, amounts of another size for each entity."""
    rng = np.random.default_rng([seed, hours.start])
    sizes = entities or SIZES
    keys = [
        (name, BEGIN + hour * HOUR + i * timedelta(minutes=10))
        for hour in hours
        for i in range(A_HOUR)
        for name in sizes
    ]
    entity, start = (pl.Series(part) for part in zip(*keys, strict=True))
    day = 1 + 0.8 * np.sin(2 * np.pi * start.dt.hour().to_numpy() / 24)
    size = np.array([sizes[name] for name in entity])
    windows = pl.DataFrame(
        {
            "entity": entity,
            "start": start,
            "end": start + SYMBOL_5S.every,
            **{
                f.name: np.exp(0.5 * rng.normal(size=len(entity)))
                * (size * day if f.scale == "ratio" else 1.0)
                for f in SYMBOL_5S.features
            },
        },
        schema=dict(SYMBOL_5S.schema),
    )
    p = rng.random(len(windows))
    scores = pl.DataFrame({"p": p, "p_surge": p, "warm": np.ones(len(p), bool)})
    return windows, scores


def watch() -> DriftWatch:
    return DriftWatch(SYMBOL_5S, *made_up(range(LEARNED)))


def later() -> tuple[pl.DataFrame, pl.DataFrame]:
    return made_up(range(LEARNED, LEARNED + FOLLOWED))


def test_an_unchanged_view_says_nothing() -> None:
    now = watch()
    assert now.monitor.watched.all()
    now.update(*later())
    assert now.drifts == []


def test_an_amount_that_doubled_is_told_in_words() -> None:
    now = watch()
    windows, scores = later()
    begun = BEGIN + (LEARNED + 10) * HOUR
    doubled = pl.when(pl.col("start") >= begun).then(2.1 * pl.col("notional"))
    now.update(windows.with_columns(doubled.otherwise("notional").alias("notional")), scores)
    (drift,) = now.drifts
    assert drift.column == "notional"
    assert abs(drift.since - begun) <= 3 * HOUR
    assert begun <= drift.told <= begun + 24 * HOUR
    assert np.exp(drift.size) == pytest.approx(2.1, abs=0.2)
    times = amount(float(f"{np.exp(drift.size):.2g}"))
    assert drift.words == (
        f"notional has been {times} times what it was when the model was trained, "
        f"since {drift.since:%a %d %H:%M}; "
        "the model is out of date: tocsin retrain trades.symbol_5s"
    )


def test_a_share_that_fell_and_scores_that_rose_are_told_in_words() -> None:
    now = watch()
    windows, scores = later()
    now.update(
        windows.with_columns(pl.col("largest_trade_share") - 0.5),
        scores.with_columns(pl.col("p_surge") / 10),
    )
    told = {drift.column: drift.words for drift in now.drifts}
    assert told.keys() == {"largest_trade_share", "p_surge"}
    assert re.match(
        r"largest trade share has been [45]\d(\.\d)? percentage points below what it was when",
        told["largest_trade_share"],
    )
    assert "times rarer to surge than when the model was trained" in told["p_surge"]


def test_what_is_counted_is_told_as_many() -> None:
    now = watch()
    windows, scores = later()
    now.update(windows.with_columns(pl.col("count") / 3), scores)
    (drift,) = now.drifts
    assert "times less than what they were when the model was trained" in drift.words
    assert drift.words.startswith("trades have been ")


def test_entities_that_come_and_go_are_no_drift() -> None:
    now = watch()
    now.update(*made_up(range(LEARNED, LEARNED + FOLLOWED), 1, {"A": 1.0, "NEW": 1e9}))
    assert now.drifts == []


def test_cold_scores_are_unknown() -> None:
    windows, scores = made_up(range(LEARNED))
    now = DriftWatch(SYMBOL_5S, windows, scores.with_columns(pl.lit(False).alias("warm")))
    assert now.monitor.watched[-2:].tolist() == [False, False]
    assert now.monitor.watched[:-2].all()


def test_batches_do_not_matter_and_a_saved_watch_goes_on_alike(tmp_path: Path) -> None:
    windows, scores = later()
    windows = windows.with_columns(pl.col("notional") * 2)
    whole, pieces = watch(), watch()
    whole.update(windows, scores)
    for i in range(0, len(windows), 100):
        pieces.update(windows[i : i + 100], scores[i : i + 100])
        pieces.save(tmp_path / "drift.npz")
        pieces = DriftWatch.load(SYMBOL_5S, tmp_path / "drift.npz")
    # Sums in another order are another sum in the last digit.
    assert [(d.column, d.since, d.told) for d in pieces.drifts] == [
        (d.column, d.since, d.told) for d in whole.drifts
    ]
    assert [d.column for d in pieces.drifts] == ["notional"]
    assert pieces.drifts[0].size == pytest.approx(whole.drifts[0].size)


def test_a_file_that_is_no_watch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drift.npz"
    now = watch()
    now.save(path)
    name, version, state = read_state(path)
    for wrong in (
        (name, version + 1, state),
        ("drift/other", version, state),
        (name, version, {**state, "usual": np.zeros((1, 1))}),
        (name, version, {k: v for k, v in state.items() if k != "monitor/level"}),
    ):
        write_state(path, *wrong)
        with pytest.raises(ModelFileError, match=r"drift\.npz holds"):
            DriftWatch.load(SYMBOL_5S, path)
    with pytest.raises(FileNotFoundError):
        DriftWatch.load(SYMBOL_5S, tmp_path / "none.npz")
