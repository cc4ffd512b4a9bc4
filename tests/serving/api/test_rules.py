"""Rules over HTTP: where entities stand, and a ladder tried against history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from serving.store.keys import Role
from tests.serving.api.calling import HOST, NOON, Caller


def ladder(**changes: Any) -> dict[str, Any]:
    """A ladder over memory."""
    rung = {"id": "trial.memory", "limit": 85, "severity": "high"}
    cases = {"hit": [[{"memory_max": 90}]], "miss": [[{"memory_max": 1}]]}
    return {
        "family": "trial",
        "title": "Trial",
        "view": HOST.name,
        "feature": "memory_max",
        "operator": ">",
        "summary": "{entity.__class__} {value:>99999999999}",
        "rungs": [{**rung, **cases}],
        **changes,
    }


def test_a_ladder_is_tried_against_the_lake(call: Caller) -> None:
    values = [80.0, 90.0, 91.0, 10.0, 10.0, 10.0, 90.0]
    rows = [
        {
            "entity": "a",
            "start": NOON - timedelta(minutes=60 - at),
            "end": NOON - timedelta(minutes=59 - at),
            "memory_max": value,
        }
        for at, value in enumerate(values)
    ]
    call.house.lake.append(HOST.name, pl.DataFrame(rows, schema=dict(HOST.schema)))
    found = call.post("/v1/rules/test", {"ladder": ladder()}, role=Role.OPERATOR)
    assert (found["windows"], found["complete"]) == (7, True)
    assert found["breaches"] == {"trial.memory": 2}
    assert [one["value"] for one in found["first"]] == [90.0, 90.0]


def test_without_windows_nothing_is_breached(call: Caller) -> None:
    assert call.post("/v1/rules/test", {"ladder": ladder()})["windows"] == 0


def test_a_trial_of_what_does_not_exist_or_too_long_is_refused(shared_call: Caller) -> None:
    long = {"since": (NOON - timedelta(days=90)).isoformat()}
    for given in (
        {"ladder": ladder(view="none")},
        {"ladder": ladder(feature="none")},
        {"ladder": ladder(), **long},
        {"ladder": ladder(rungs=[])},
    ):
        assert shared_call("POST", "/v1/rules/test", json=given).status_code == 422


def test_rules_are_listed_with_who_breaches_them(call: Caller) -> None:
    call.fire({"a": 80.0}, minutes=1)
    pending = call.get("/v1/rules")["standing"]["host.memory.medium"]
    assert [(one["entity"], one["state"]) for one in pending] == [("a", "pending")]
    call.fire({"a": 80.0})
    found = call.get("/v1/rules", role=Role.VIEWER)
    assert found["standing"]["host.memory.medium"][0]["state"] == "breached"
    assert "host" in {pack["pack"] for pack in found["packs"]}
