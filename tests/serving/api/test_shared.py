"""A time is written as in ISO 8601: a number is refused, whatever pydantic would make of it."""

from __future__ import annotations

import pytest

from tests.serving.api.calling import Caller


@pytest.mark.parametrize("given", ["0.0", "1767225600", "-1", "1e9", "2026-01-01T00:00:00"])
def test_what_is_no_time_with_a_zone_is_refused(shared_call: Caller, given: str) -> None:
    answer = shared_call("GET", "/v1/alerts", params={"since": given})
    assert answer.status_code == 422
    assert "since" in answer.text


def test_a_time_with_a_zone_is_taken(shared_call: Caller) -> None:
    later = shared_call.get("/v1/alerts", params={"since": "9999-01-01T00:00:00Z"})
    assert later["items"] == []
