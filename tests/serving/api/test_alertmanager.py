"""Alerts of an Alertmanager become alerts here, once, and end there."""

from __future__ import annotations

from typing import Any

from tests.serving.api.calling import Caller


def webhook(*alerts: dict[str, Any]) -> dict[str, Any]:
    """The body that Alertmanager posts, version 4."""
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighLatency"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "tocsin",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts),
    }


def alert(instance: str = "api-1", status: str = "firing", **labels: str) -> dict[str, Any]:
    """One of its alerts."""
    return {
        "status": status,
        "labels": {"alertname": "HighLatency", "instance": instance, "severity": "page", **labels},
        "annotations": {"summary": "p99 is 2.1 s", "runbook_url": "https://runbooks/latency"},
        "startsAt": "2026-03-01T11:58:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c0ffee",
    }


def test_an_alert_fires_on_its_route_once_however_often_it_is_sent(call: Caller) -> None:
    for _ in range(3):
        assert call.post("/v1/alertmanager", webhook(alert()))["firing"] == 1
    (found,) = call.get("/v1/alerts")["items"]
    assert (found["severity"], found["entity"]) == ("high", "api-1")
    assert (found["why"], found["first_step"]) == ("p99 is 2.1 s", "https://runbooks/latency")
    messages = call.get(f"/v1/incidents/{found['incident']}")["messages"]
    assert sorted(one["channel"] for one in messages).count("pagerduty") == 1


def test_alerts_with_other_labels_are_others_and_each_ends_for_itself(call: Caller) -> None:
    call.post("/v1/alertmanager", webhook(alert(), alert("api-2"), alert(path="/a")))
    assert len(call.get("/v1/alerts")["items"]) == 3
    over = call.post("/v1/alertmanager", webhook(alert("api-2", "resolved")))
    assert over == {"firing": 0, "resolved": 1}
    states = {one["entity"]: one["state"] for one in call.get("/v1/alerts")["items"]}
    assert states == {"api-1": "firing", "api-2": "resolved"}


def test_two_alerts_of_one_name_and_place_end_one_by_one(call: Caller) -> None:
    call.post("/v1/alertmanager", webhook(alert(path="/a"), alert(path="/b")))
    call.post("/v1/alertmanager", webhook(alert(status="resolved", path="/a")))
    found = call.get("/v1/alerts")["items"]
    assert {one["labels"]["path"]: one["state"] for one in found} == {
        "/a": "resolved",
        "/b": "firing",
    }


def test_another_version_is_refused(shared_call: Caller) -> None:
    given = {**webhook(alert()), "version": "3"}
    assert shared_call("POST", "/v1/alertmanager", json=given).status_code == 422
