"""A service by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.system import SERVICE_1M


def test_features_equal_numbers_worked_out_by_hand(window_at_noon: Callable[..., Any]) -> None:
    given = {
        "up": [True, True, False],
        "response_p95": [1.0, 400.0, 600.0],
        "execution_p95": [1.0, 30.0, 20.0],
        "matching_p95": [1.0, 0.5, 0.4],
        "queue": [0.0, 200.0, 1_200.0],
        "utilisation": [10.0, 40.0, 60.0],
        "requests": [0.0, 200.0, 800.0],
        "errors": [0.0, 0.0, 16.0],
        "processing_ms": [0.0, 1_000.0, 40_000.0],
    }
    expected = {
        "samples": 2,
        "availability": 50,
        "answered": 800,
        "throughput": 800 / 60,
        "throughput_peak": 20,
        "processing_mean": 50,
        "response_p95_max": 600,
        "execution_p95_max": 30,
        "matching_p95_max": 0.5,
        "error_rate": 2,
        "queue_mean": 700,
        "queue_max": 1_200,
        "queue_growth": 20,
        "utilisation_max": 60,
        "capacity": 800 / 60 / 0.5,
        "silence": 30,
    }
    assert window_at_noon(SERVICE_1M, given) == pytest.approx(expected, rel=1e-12)


def test_a_counter_that_restarts_counts_from_zero(windows: Callable[..., Any]) -> None:
    rows = [
        {"at": 0, "requests": 1e6, "errors": 40},
        {"at": 30, "requests": 30, "errors": 3},
        {"at": 50, "requests": 70, "errors": 3},
    ]
    (window,) = windows(SERVICE_1M, rows)
    assert window["answered"] == 70
    assert window["throughput"] == pytest.approx(70 / 50)
    assert window["error_rate"] == pytest.approx(100 * 3 / 70)


def test_two_samples_of_one_instant_do_not_divide_by_zero(windows: Callable[..., Any]) -> None:
    rows = [{"at": 0, "requests": 0}, {"at": 0, "requests": 9}, {"at": 3, "requests": 12}]
    (window,) = windows(SERVICE_1M, rows)
    assert window["throughput"] == pytest.approx(12 / 3)
    assert window["throughput_peak"] == pytest.approx(1)
