"""A host by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.system import HOST_1M


def test_features_equal_numbers_worked_out_by_hand(window_at_noon: Callable[..., Any]) -> None:
    given = {
        "cpu": [90.0, 40.0, 80.0],
        "cpu_wait": [0.0, 1.0, 4.0],
        "cpu_steal": [0.0, 0.0, 3.0],
        "load": [0.1, 0.5, 1.5],
        "memory": [50.0, 51.0, 54.0],
        "swap": [0.0, 2.0, 1.0],
        "processes": [90.0, 100.0, 110.0],
        "latency": [1.0, 20.0, 120.0],
        "context_switches": [1_000.0, 4_000.0, 13_000.0],
    }
    expected = {
        "samples": 2,
        "cpu_mean": 60,
        "cpu_max": 80,
        "cpu_wait_mean": 2.5,
        "cpu_steal_mean": 1.5,
        "load_last": 1.5,
        "context_switch_rate": 200,  # 12,000 in 60 s
        "context_switch_peak": 300,  # 9,000 in 30 s
        "memory_mean": 52.5,
        "memory_max": 54,
        "memory_growth": 4,  # from 50 to 54 in a minute
        "swap_max": 2,
        "processes_last": 110,
        "latency_mean": 70,
        "latency_max": 120,
        "silence": 30,
    }
    assert window_at_noon(HOST_1M, given) == pytest.approx(expected, rel=1e-12)
