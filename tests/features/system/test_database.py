"""A database by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.system import DATABASE_1M


def test_features_equal_numbers_worked_out_by_hand(window_at_noon: Callable[..., Any]) -> None:
    given = {
        "query_p95": [1.0, 5.0, 9.0],
        "pool_used": [1.0, 5.0, 19.0],
        "pool_size": [20.0, 20.0, 20.0],
        "pool_waiting": [0.0, 0.0, 3.0],
        "lock_waits": [0.0, 2.0, 1.0],
        "replication_lag": [0.0, 0.5, 0.25],
        "queries": [0.0, 100.0, 600.0],
        "query_ms": [0.0, 200.0, 3_000.0],
        "slow_queries": [0.0, 0.0, 6.0],
        "index_scans": [0.0, 60.0, 90.0],
        "table_scans": [0.0, 0.0, 10.0],
        "rows_read": [0.0, 1_000.0, 5_000.0],
        "rows_returned": [0.0, 100.0, 200.0],
        "cache_hits": [0.0, 100.0, 990.0],
        "cache_misses": [0.0, 5.0, 10.0],
        "deadlocks": [3.0, 3.0, 5.0],
    }
    expected = {
        "samples": 2,
        "query_rate": 10,
        "query_time_mean": 5,
        "query_p95_max": 9,
        "slow_query_share": 1,
        "index_use": 90,
        "rows_read_each": 25,
        "pool_use_mean": 60,
        "pool_use_max": 95,
        "pool_waiting_max": 3,
        "cache_hit_ratio": 99,
        "lock_waits_max": 2,
        "deadlocks_new": 2,
        "replication_lag_max": 0.5,
        "silence": 30,
    }
    assert window_at_noon(DATABASE_1M, given) == pytest.approx(expected, rel=1e-12)


def test_a_rate_covers_the_time_from_the_sample_before_the_window(
    windows: Callable[..., Any],
) -> None:
    rows = [{"at": -240, "queries": 100}, {"at": 10, "queries": 350}]
    _, window = windows(DATABASE_1M, rows)
    assert window["query_rate"] == pytest.approx(1)


def test_an_unknown_total_takes_its_time_out_of_the_rate(windows: Callable[..., Any]) -> None:
    rows = [
        {"at": 0, "queries": 0, "query_p95": 1.0},
        {"at": 10, "queries": 100, "query_p95": None},
        {"at": 20, "queries": None, "query_p95": 3.0},
        {"at": 40, "queries": 500, "query_p95": None},
        {"at": 50, "queries": 700, "query_p95": None},
    ]
    (window,) = windows(DATABASE_1M, rows)
    assert window["query_rate"] == pytest.approx((100 + 200) / (10 + 10))
    assert window["query_p95_max"] == 3


def test_a_share_of_nothing_is_undefined(windows: Callable[..., Any]) -> None:
    still = {"queries": 7.0, "slow_queries": 0.0, "index_scans": 1.0, "table_scans": 1.0}
    still |= {"cache_hits": 9.0, "cache_misses": 9.0, "pool_used": 0.0, "pool_size": 0.0}
    (window,) = windows(DATABASE_1M, [{"at": 0, **still}, {"at": 30, **still}])
    shares = ("slow_query_share", "index_use", "cache_hit_ratio", "pool_use_max", "query_time_mean")
    assert {window[name] for name in shares} == {None}
    assert window["query_rate"] == 0
