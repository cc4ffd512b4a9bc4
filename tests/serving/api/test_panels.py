"""Dashboards over HTTP: panels are data."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from serving.api.panels import Panel, load_dashboards
from serving.store.keys import Role
from tests.serving.api.calling import HOST, Caller
from tests.serving.api.watched import SPIKE, fill, score

SEED = {f"DS-{part}{number}" for part in "HTS" for number in range(1, 5)}


def panels(call: Caller, board: str) -> dict[str, dict[str, object]]:
    shown = call.get(f"/v1/dashboards/{board}", role=Role.VIEWER)
    return {panel["id"]: panel for panel in shown["panels"]}


def test_the_three_dashboards_answer_every_line_of_the_seed(shared_call: Caller) -> None:
    boards = shared_call.get("/v1/dashboards")
    assert [board["id"] for board in boards] == ["health", "trading", "security"]
    answered = {panel["requirement"] for board in boards for panel in board["panels"]}
    assert answered - {""} == SEED


@pytest.mark.parametrize("board", ["health", "trading", "security"])
def test_a_house_without_a_past_has_dashboards(call: Caller, board: str) -> None:
    for panel in panels(call, board).values():
        assert panel["data"] is not None
    assert call("GET", "/v1/dashboards/none").status_code == 404


def test_a_line_is_of_all_entities_and_marks_what_was_rare(call: Caller) -> None:
    fill(call, "a", level=50.0)
    fill(call, "b", level=30.0)
    data = panels(call, "health")["memory"]["data"]
    at = data["at"].index(int(SPIKE.timestamp() * 1000))  # type: ignore[index]
    assert data["value"][at] == 99.0  # type: ignore[index]
    assert data["rare"][at] is True  # type: ignore[index]
    assert sum(data["rare"]) == 1  # type: ignore[index]
    assert 49 <= data["value"][0] <= 51  # type: ignore[index]


def test_a_table_tells_the_newest_and_who_is_late(call: Caller) -> None:
    custom = [
        {
            "id": "mine",
            "title": "Mine",
            "minutes": 600,
            "panels": [
                {
                    "id": "hosts",
                    "title": "Hosts",
                    "kind": "table",
                    "view": HOST.name,
                    "features": ["memory_max"],
                    "sort": "memory_max",
                }
            ],
        }
    ]
    (call.house.config.home / "panels.json").write_text(json.dumps(custom))
    fill(call, "a", level=50.0)
    fill(call, "b", level=80.0)
    rows = panels(call, "mine")["hosts"]["data"]["rows"]  # type: ignore[index]
    assert [(row["entity"], row["state"]) for row in rows] == [("b", "ok"), ("a", "ok")]
    call.fire({"b": 90.0})
    rows = panels(call, "mine")["hosts"]["data"]["rows"]  # type: ignore[index]
    assert rows[0]["state"] == "high"
    call.now += timedelta(minutes=30)
    rows = panels(call, "mine")["hosts"]["data"]["rows"]  # type: ignore[index]
    assert {row["state"] for row in rows} == {"no data"}


def test_alerts_risk_and_lanes_are_those_there_are(call: Caller) -> None:
    call.fire({"a": 90.0})
    score(call, "a", [(call.now - timedelta(minutes=1), 0.01, True)])
    shown = panels(call, "health")
    assert shown["alerts"]["data"]["count"] == 1  # type: ignore[index]
    assert shown["alerts"]["data"]["items"][0]["entity"] == "a"  # type: ignore[index]
    assert shown["lanes"]["data"]["lanes"][0]["entity"] == "a"  # type: ignore[index]
    secure = panels(call, "security")
    assert secure["alerts"]["data"]["count"] == 0  # type: ignore[index]
    assert secure["risk"]["data"]["rows"][0]["entity"] == "a"  # type: ignore[index]


def test_a_dashboard_of_the_home_replaces_by_id_and_a_wrong_one_is_named(call: Caller) -> None:
    file = call.house.config.home / "panels.json"
    panel = {"id": "alerts", "title": "All", "kind": "alerts"}
    file.write_text(json.dumps([{"id": "health", "title": "Ours", "panels": [panel]}]))
    assert load_dashboards(file.parent)["health"].title == "Ours"
    assert list(load_dashboards(file.parent)) == ["health", "trading", "security"]
    panel["kind"] = "series"
    file.write_text(json.dumps([{"id": "health", "title": "Ours", "panels": [panel]}]))
    answer = call("GET", "/v1/dashboards")
    assert answer.status_code == 503
    assert "panels.json" in answer.json()["detail"]
    assert "no view" in answer.json()["detail"]


def test_a_panel_names_features_that_exist() -> None:
    with pytest.raises(ValueError, match="has no feature 'nothing'"):
        Panel(id="a", title="A", kind="series", view=HOST.name, feature="nothing")
    with pytest.raises(ValueError, match="has no feature ''"):
        Panel(id="a", title="A", kind="series", view=HOST.name)
