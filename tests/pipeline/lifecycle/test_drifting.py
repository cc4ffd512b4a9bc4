"""What the stream left in the lake, compared with what the model was trained on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from features.trading import SYMBOL_1M
from pipeline.lake import Lake
from pipeline.lifecycle.drifting import drift_json, drift_text, drifting

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, TRAINED = 12, 8


def lake_of(path: Path, *, factor: float) -> Lake:
    """Twelve days of two markets of which the last four have so many times the trades."""
    rng = np.random.default_rng(0)
    minutes = np.repeat(np.arange(0, DAYS * 1_440, 10), 2)
    late = minutes >= TRAINED * 1_440
    start = pl.Series([START + timedelta(minutes=int(m)) for m in minutes])
    windows = pl.DataFrame(
        {
            "entity": ["A", "B"] * (len(minutes) // 2),
            "start": start,
            "end": start + SYMBOL_1M.every,
            **{
                name: np.exp(0.3 * rng.normal(size=len(minutes))) * np.where(late, factor, 1.0)
                for name in SYMBOL_1M.names
            },
        },
        schema=dict(SYMBOL_1M.schema),
    )
    lake = Lake(path)
    lake.append(SYMBOL_1M.name, windows)
    return lake


def test_what_has_changed_since_training_is_told_and_what_has_not_is_not(tmp_path: Path) -> None:
    trained = START + timedelta(days=TRAINED)
    still = drifting(SYMBOL_1M, lake_of(tmp_path / "a", factor=1.0), trained=trained)
    moved = drifting(SYMBOL_1M, lake_of(tmp_path / "b", factor=3.0), trained=trained)
    told = drift_json(SYMBOL_1M, trained, still)
    assert told["watched"]
    assert not told["drifts"]
    assert "as in training" in drift_text(told)
    told = drift_json(SYMBOL_1M, trained, moved)
    assert {drift["column"] for drift in told["drifts"]} >= set(SYMBOL_1M.main)
    assert "tocsin retrain" in drift_text(told)


def test_too_short_a_history_is_said_to_be_unwatched(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, factor=1.0)
    trained = START + timedelta(days=1)
    told = drift_json(SYMBOL_1M, trained, drifting(SYMBOL_1M, lake, trained=trained))
    assert "not watched" in drift_text(told)
