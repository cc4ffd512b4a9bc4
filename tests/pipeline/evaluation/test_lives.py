"""Whole histories: one window an entity, in the order in which they are known in full."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from features.accounts import ACCOUNT_1D
from features.transactions import TRANSACTIONS
from pipeline.evaluation.lives import lives
from pipeline.evaluation.population import score_population

START = datetime(2020, 2, 28, 23, tzinfo=UTC)


def histories(count: int, seed: int = 0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {
            "ts": START + timedelta(hours=int(rng.integers(0, 9_000))),
            "address": f"a{account:03}",
            "hash": f"{account}-{i}",
            "sender": str(rng.choice([f"a{account:03}", "ann", "bob", "cid"])),
            "to": "x",
            "value_wei": float(rng.choice([1e17, 2.5e17, 1e18])),
            "success": True,
        }
        for account in range(count)
        for i in range(int(rng.integers(1, 12)))
    ]
    return TRANSACTIONS.validate(pl.DataFrame(rows), now=START + timedelta(days=999)).events


def test_a_life_is_one_window_from_the_first_event_to_the_last() -> None:
    events = histories(30)
    windows = lives(ACCOUNT_1D, events)
    spans = events.group_by(entity="address").agg(
        pl.col("ts").min().alias("start"), pl.col("ts").max().alias("end"), pl.len()
    )
    found = windows.join(spans, on=("entity", "start", "end"))
    assert len(found) == len(windows) == len(spans) == 30
    assert (found["transactions"] == found["len"]).all()
    assert windows["end"].is_sorted()
    assert windows.schema == dict(ACCOUNT_1D.schema)


def test_when_it_happened_changes_nothing() -> None:
    events = histories(30)
    later = events.with_columns(pl.col("ts") + timedelta(days=777))
    names = list(ACCOUNT_1D.names)
    assert lives(ACCOUNT_1D, later).select(names).equals(lives(ACCOUNT_1D, events).select(names))


def test_a_life_is_scored_by_those_that_ended_no_later() -> None:
    windows = lives(ACCOUNT_1D, histories(200))
    known, _ = score_population(ACCOUNT_1D, windows[:120], seed=0)
    whole, _ = score_population(ACCOUNT_1D, windows, seed=0)
    np.testing.assert_array_equal(whole[:120], known)
    assert (score_population(ACCOUNT_1D, windows.reverse(), seed=0)[0][::-1] == whole).all()
