"""The list of alerts: filtered, by pages, the newest first, as triage ranks it, or by urgency."""

from __future__ import annotations

from typing import Any

import pytest

from serving.store.tables import alerts
from tests.serving.api.calling import Caller

PRIORITIES = {"a": 0.25, "b": None, "c": 0.75, "d": 0.25, "e": 0.0}


@pytest.fixture
def ranked(call: Caller) -> Caller:
    """Alerts of one moment, some of which triage has ranked."""
    call.fire(dict.fromkeys(PRIORITIES, 90.0))
    with call.house.engine.begin() as connection:
        for name, chance in PRIORITIES.items():
            mine = alerts.update().where(alerts.c.entity == name)
            connection.execute(mine.values(priority=chance))
    return call


def _listed(call: Caller, **params: Any) -> list[str]:
    """Entities of the list, page by page."""
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = call.get("/v1/alerts", params={**params, **cursor})
        found += [one["entity"] for one in page["items"]]
        if page["next"] is None:
            return found
        cursor = {"cursor": page["next"]}


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_triage_hides_nothing_and_puts_the_likeliest_first(ranked: Caller, limit: int) -> None:
    found = _listed(ranked, order="triage", limit=limit)
    assert sorted(found) == sorted(PRIORITIES)
    assert [PRIORITIES[name] or 0.0 for name in found] == [0.75, 0.25, 0.25, 0.0, 0.0]
    assert sorted(_listed(ranked, limit=limit)) == sorted(PRIORITIES)


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_what_fires_and_is_worst_is_most_urgent(ranked: Caller, limit: int) -> None:
    with ranked.house.engine.begin() as connection:
        for name, values in {
            "c": {"state": "acknowledged", "severity": "critical"},
            "d": {"severity": "critical", "priority": None, "risk": 10.0},
            "a": {"severity": "critical", "priority": 0.3, "risk": 0.0},
            "e": {"state": "resolved"},
        }.items():
            connection.execute(alerts.update().where(alerts.c.entity == name).values(values))
    assert _listed(ranked, order="urgent", limit=limit) == ["a", "d", "b", "c", "e"]


def test_an_order_or_a_place_that_is_not_known_is_refused(ranked: Caller) -> None:
    for params in ({"order": "best"}, {"cursor": "bm93"}, {"cursor": "bmFufDIwMjZ8eA=="}):
        assert ranked("GET", "/v1/alerts", params=params).status_code == 422


def test_each_alert_tells_its_priority(ranked: Caller) -> None:
    items = ranked.get("/v1/alerts", params={"entity": "c"})["items"]
    assert [one["priority"] for one in items] == [0.75]
