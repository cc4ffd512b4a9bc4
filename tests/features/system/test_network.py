"""A network interface by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.system import NETWORK_1M


def test_features_equal_numbers_worked_out_by_hand(window_at_noon: Callable[..., Any]) -> None:
    given = {
        "speed": [1_000.0, 1_000.0, 1_000.0],
        "established": [1.0, 10.0, 20.0],
        "half_open": [0.0, 300.0, 2.0],
        "closing": [0.0, 7.0, 5.0],
        "abandoned": [0.0, 1.0, 2.0],
        "received_bytes": [0.0, 3_000.0, 6_000.0],
        "sent_bytes": [0.0, 600.0, 9_600.0],
        "packets": [0.0, 50.0, 190.0],
        "dropped": [0.0, 0.0, 10.0],
        "damaged": [0.0, 0.0, 10.0],
        "segments": [0.0, 100.0, 400.0],
        "retransmitted": [0.0, 0.0, 2.0],
    }
    expected = {
        "samples": 2,
        "received_rate": 100,
        "sent_rate": 160,
        "bandwidth_peak": 300,  # 9,000 bytes sent in 30 s
        "bandwidth_use": 20,  # 3,000 and 9,000 of 60,000 bytes
        "packet_rate": 190 / 60,
        "packet_loss": 5,  # 10 of 190 + 10
        "established_mean": 15,
        "half_open_max": 300,
        "closing_max": 7,
        "abandoned_max": 2,
        "protocol_errors": 5,
        "retransmissions": 0.5,
        "silence": 30,
    }
    assert window_at_noon(NETWORK_1M, given) == pytest.approx(expected, rel=1e-12)
