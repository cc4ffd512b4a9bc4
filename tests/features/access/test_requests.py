"""Features of requests: hand-computed examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from features.access import IP_1M, SUBNET_1M

Measure = Callable[..., list[dict[str, Any]]]


def asked(at: float, path: str, status: int = 200, **told: Any) -> dict[str, Any]:
    return {"at": at, "path": path, "endpoint": path.split("?")[0], "status": status} | told


def test_requests_are_counted_by_path_and_endpoint(measure: Measure) -> None:
    [window] = measure(
        IP_1M,
        asked(0, "/a?x=1", method="GET", agent="m", bytes=10),
        asked(1, "/a?x=2", method="GET", agent="m", bytes=20),
        asked(2, "/b", method="POST", agent="n", referrer="http://a"),
        {"at": 3, "kind": "login"},
    )

    assert window["count"] == 4
    assert window["requests"] == 3
    assert window["paths"] == 3
    assert window["endpoints"] == 2
    assert window["methods"] == 2
    assert window["agents"] == 2
    assert window["bytes_out"] == 30
    assert window["direct_share"] == pytest.approx(2 / 3)
    assert window["endpoint_entropy"] == pytest.approx(
        -(2 / 3) * np.log2(2 / 3) - np.log2(1 / 3) / 3
    )
    assert window["gap_mean"] == pytest.approx(1.0)


def test_errors_are_shares_of_the_answers_that_have_a_status(measure: Measure) -> None:
    statuses = [200, 401, 403, 404, 404, 429, 500, 304]
    rows = [asked(i, f"/{i // 2}", status) for i, status in enumerate(statuses)]
    [window] = measure(IP_1M, *rows, {"at": 9, "kind": "logout"})

    assert window["errors"] == 6
    assert window["error_share"] == 6 / 8
    assert window["unauthorized_share"] == 1 / 8
    assert window["forbidden_share"] == 1 / 8
    assert window["not_found_share"] == 2 / 8
    assert window["throttled_share"] == 1 / 8
    assert window["server_error_share"] == 1 / 8
    assert window["denied_paths"] == 2
    assert [window[n] for n in ("odd_requests", "sequential_objects")] == [0, 0]


def test_neighbours_of_an_object_are_sequential_up_and_down(measure: Measure) -> None:
    numbers = [7, 8, 9, 8, 8, 20]
    rows = [{"at": i, "endpoint": "/o/*", "object": n} for i, n in enumerate(numbers)]
    [window] = measure(IP_1M, *rows, {"at": 8, "endpoint": "/other", "object": 21})
    assert window["sequential_objects"] == 3


def test_a_steady_pace_varies_less_than_a_random_one(measure: Measure) -> None:
    [steady] = measure(IP_1M, *[{"at": i} for i in range(0, 20, 2)])
    [ragged] = measure(IP_1M, *[{"at": i} for i in (0, 1, 2, 3, 30, 31, 59)])
    [few] = measure(IP_1M, *[{"at": i} for i in (0, 1, 9)])
    assert steady["gap_variation"] == 0
    assert ragged["gap_variation"] > 1
    assert few["gap_variation"] is None


def test_odd_characters_are_seen_in_the_oddest_path(measure: Measure) -> None:
    [window] = measure(IP_1M, *[{"at": i, "odd": n} for i, n in enumerate([0, 3, 1])])
    assert (window["odd_requests"], window["odd_characters"]) == (2, 3)


def test_a_network_sums_up_its_addresses(measure: Measure) -> None:
    rows = [{"at": i, "ip": f"1.2.3.{i}", "subnet": "1.2.3.0/24"} for i in range(3)]
    [window] = measure(SUBNET_1M, *rows, {"at": 3, "ip": "::1"})
    assert (window["entity"], window["count"]) == ("1.2.3.0/24", 3)
