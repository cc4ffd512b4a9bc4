"""Silences over HTTP: tried, made with an end, ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from serving.store.keys import Role
from tests.serving.api.calling import NOON, Caller

ABOUT_A = [{"label": "entity", "operator": "=", "value": "a"}]


def silence(hours: float = 1.0, **more: Any) -> dict[str, Any]:
    """A silence about one entity."""
    ends = (NOON + timedelta(hours=hours)).isoformat()
    return {"matchers": ABOUT_A, "ends_at": ends, "comment": "work on a", **more}


def test_a_preview_says_what_a_silence_would_mute_and_makes_none(call: Caller) -> None:
    call.fire({"a": 90.0, "b": 90.0})
    found = call.post("/v1/silences/preview", {"matchers": ABOUT_A}, role=Role.VIEWER)
    assert (found["count"], found["items"][0]["entity"]) == (1, "a")
    assert not call.get("/v1/silences")["items"]


def test_what_is_silenced_is_kept_and_says_why_nobody_was_told(call: Caller) -> None:
    made = call.post("/v1/silences", silence(), role=Role.RESPONDER)
    call.fire({"a": 90.0})
    (alert,) = call.get("/v1/alerts")["items"]
    assert alert["suppressed"].startswith(f"silence {made['id']}")
    assert call.get("/v1/silences", params={"active": True})["items"][0]["id"] == made["id"]
    ended = call.post(f"/v1/silences/{made['id']}/end")
    assert ended["ends_at"] < made["ends_at"]
    assert call("POST", f"/v1/silences/{made['id']}/end").status_code == 409
    assert not call.get("/v1/silences", params={"active": True})["items"]
    assert call("POST", "/v1/silences/none/end").status_code == 404


@pytest.mark.parametrize(
    "given",
    [
        silence(hours=-1),
        silence(hours=24 * 31),
        silence(comment=""),
        silence(matchers=[]),
        silence(matchers=[{"label": "a", "operator": "=~", "value": "("}]),
        {"matchers": ABOUT_A, "comment": "for ever"},
        silence(ends_at="9999-12-31T23:59:59-23:59"),
    ],
)
def test_a_silence_without_a_fair_end_or_a_reason_is_refused(
    shared_call: Caller, given: dict[str, Any]
) -> None:
    assert shared_call("POST", "/v1/silences", json=given).status_code == 422
