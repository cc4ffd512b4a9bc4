"""Windows for charts over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.serving.api.calling import HOST, NOON, Caller
from tests.serving.api.watched import SPIKE, fill, score

PATH = f"/v1/views/{HOST.name}/windows"
LANES = f"/v1/views/{HOST.name}/lanes"
ASKED = {"entity": "a", "feature": "memory_max"}


def milliseconds(at: object) -> int:
    return int(at.timestamp() * 1000)  # type: ignore[attr-defined]


def test_a_spike_is_never_lost_between_points(call: Caller) -> None:
    fill(call)
    shown = call.get(PATH, params={**ASKED, "points": 10})
    line = shown["features"]["memory_max"]
    assert shown["windows"] == 600
    assert len(shown["at"]) == len(line["value"]) == len(shown["per_day"]) == 10
    place = line["value"].index(99.0)
    assert shown["per_day"][place] == 0.01
    assert shown["at"][place] <= milliseconds(SPIKE) < shown["at"][place] + 60 * 60_000
    assert line["unit"] == "%"


def test_what_was_usual_is_of_the_windows_before_alone(call: Caller) -> None:
    fill(call)
    asked = {**ASKED, "points": 2000, "since": (SPIKE - timedelta(minutes=5)).isoformat()}
    shown = call.get(PATH, params=asked)
    line = shown["features"]["memory_max"]
    assert len(shown["at"]) == 35
    # The quartiles are 49 and 51; Tukey's fences stand one and a half times their distance beyond.
    assert (line["low"][0], line["high"][0]) == (46.0, 54.0)
    at = shown["at"].index(milliseconds(SPIKE))
    assert (line["value"][at], line["high"][at]) == (99.0, 54.0)
    assert line["high"][-1] == 54.0


def test_nothing_is_known_of_an_entity_or_a_lake_that_is_not_there(call: Caller) -> None:
    assert call.get(PATH, params=ASKED)["at"] == []
    assert call.get(LANES)["lanes"] == []
    fill(call)
    assert call.get(PATH, params={**ASKED, "entity": "b"})["at"] == []
    young = call.get(PATH, params={**ASKED, "feature": "cpu_max"})
    assert set(young["features"]["cpu_max"]["value"]) == {None}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"feature": "nothing"}, "feature"),
        ({"since": "2026-01-01T00:00:00Z"}, "since"),
        ({"since": "2026-03-01T13:00:00Z"}, "since"),
        ({"until": "2027-01-01T00:00:00Z"}, "until"),
        ({"until": "0001-01-01T00:00:00Z"}, "until"),
        ({"points": 5}, "query.points"),
    ],
)
def test_what_cannot_be_asked_is_named(
    shared_call: Caller, change: dict[str, str], field: str
) -> None:
    answer = shared_call("GET", PATH, params={**ASKED, **change})
    assert answer.status_code == 422
    assert field.rpartition(".")[2] in answer.json()["detail"]


def test_there_are_no_windows_of_a_view_that_is_not(shared_call: Caller) -> None:
    assert shared_call("GET", "/v1/views/none/windows", params=ASKED).status_code == 404
    assert shared_call("GET", "/v1/views/none/lanes").status_code == 404


def test_lanes_are_of_the_rarest_first_and_cold_windows_are_blank(call: Caller) -> None:
    fill(call, "a")
    score(call, "b", [(NOON - timedelta(minutes=5), 0.5, True)])
    score(call, "cold", [(NOON - timedelta(minutes=5), 1e-9, False)])
    shown = call.get(LANES, params={"buckets": 24})
    assert [lane["entity"] for lane in shown["lanes"]] == ["a", "b"]
    assert shown["entities"] == 2
    first, second = shown["lanes"]
    assert first["most"] == max(one for one in first["cells"] if one is not None) == 100.0
    assert first["cells"].index(100.0) == 23
    assert second["cells"][:23] == [None] * 23
    assert 0 < second["most"] < 100


def test_a_run_of_rare_windows_is_one_alert(call: Caller) -> None:
    run = [(NOON - timedelta(minutes=back), 0.005, True) for back in range(60, 50, -1)]
    again = [(NOON - timedelta(minutes=10), 0.005, True)]
    score(call, "a", run + again)
    shown = call.get(LANES)
    told = dict(zip(shown["levels"], shown["alerts_a_day"], strict=True))
    assert (told[1.0], told[0.01], told[0.001]) == (2.0, 2.0, 0.0)
