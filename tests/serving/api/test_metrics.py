"""Measurements: requests by route, and what stands in the store."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from serving.store.keys import Role
from tests.serving.api.calling import Caller


def test_requests_and_the_store_are_measured(call: Caller) -> None:
    call.fire({"a": 90.0})
    call.get("/v1/alerts")
    call("GET", "/v1/alerts/one")
    call("GET", "/v1/alerts/another")
    text = call("GET", "/metrics", role=Role.VIEWER).text
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["tocsin_requests_total", "/v1/alerts", "200", "GET"] == 1
    assert found["tocsin_requests_total", "/v1/alerts/{alert}", "404", "GET"] == 2
    assert found["tocsin_alerts", "firing", "high"] == 1
    assert found["tocsin_messages", "pagerduty", "pending"] == 1
