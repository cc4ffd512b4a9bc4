"""A disk by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.system import DISK_1M


def test_features_equal_numbers_worked_out_by_hand(window_at_noon: Callable[..., Any]) -> None:
    given = {
        "used": [70.0, 70.5, 71.0],
        "inodes": [10.0, 11.0, 12.0],
        "read_bytes": [0.0, 600.0, 1_200.0],
        "written_bytes": [0.0, 0.0, 6_000.0],
        "operations": [10.0, 15.0, 30.0],
        "operation_ms": [0.0, 100.0, 200.0],
        "busy_ms": [0.0, 3_000.0, 15_000.0],
    }
    expected = {
        "samples": 2,
        "used_last": 71,
        "fill_rate": 60,  # one point in a minute
        "time_to_full": 29 / 60,
        "inodes_last": 12,
        "read_rate": 20,
        "write_rate": 100,
        "operation_rate": 20 / 60,
        "operation_time": 10,  # 200 ms for 20 of them
        "busy_share": 25,
        "silence": 30,
    }
    assert window_at_noon(DISK_1M, given) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("used", [70.0, 69.0])
def test_a_disk_that_does_not_fill_has_no_time_to_full(
    windows: Callable[..., Any], used: float
) -> None:
    (window,) = windows(DISK_1M, [{"at": 0, "used": 70.0}, {"at": 30, "used": used}])
    assert window["time_to_full"] is None
    assert window["used_last"] == used


def test_disks_and_interfaces_of_a_host_are_entities_of_their_own(
    windows: Callable[..., Any],
) -> None:
    rows = [{"at": 0, "mount": "/", "used": 1.0}, {"at": 0, "mount": "/data", "used": 2.0}]
    found = {w["entity"]: w["used_last"] for w in windows(DISK_1M, rows)}
    assert found == {"h|/": 1, "h|/data": 2}
