"""Measurements: requests by route, and what stands in the store."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from serving.store.keys import Role
from tests.serving.api.calling import Caller
from tests.streams import AFTER, troubled


def _measured(call: Caller) -> dict[tuple[str, ...], float]:
    text = call("GET", "/metrics", role=Role.VIEWER).text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_and_the_store_are_measured(call: Caller) -> None:
    call.fire({"a": 90.0})
    call.get("/v1/alerts")
    call("GET", "/v1/alerts/one")
    call("GET", "/v1/alerts/another")
    found = _measured(call)
    assert found["tocsin_requests_total", "/v1/alerts", "200", "GET"] == 1
    assert found["tocsin_requests_total", "/v1/alerts/{alert}", "404", "GET"] == 2
    assert found["tocsin_alerts", "firing", "high"] == 1
    assert found["tocsin_messages", "pagerduty", "pending"] == 1


def test_what_the_stream_took_refused_and_put_aside_is_measured(
    call: Caller, tmp_path: Path
) -> None:
    url = call.house.engine.url.render_as_string(hide_password=False)
    assert not any(name.startswith("tocsin_source") for name, *_ in _measured(call))
    troubled(tmp_path / "stream", url)
    found, view = _measured(call), "trades.symbol_5s"
    for outcome, count in {"accepted": 203, "refused": 4, "future": 2}.items():
        assert found["tocsin_source_rows_total", *sorted((outcome, "p", "stream"))] == count
    for outcome, count in {"accepted": 200, "late": 3}.items():
        assert found["tocsin_view_rows_total", *sorted((outcome, view, "stream"))] == count
    assert found["tocsin_source_failures", "gone", "stream"] >= 1
    newest = found["tocsin_source_newest_event_timestamp_seconds", "p", "stream"]
    assert newest < AFTER.timestamp()
    assert found["tocsin_view_closed_until_timestamp_seconds", "stream", view] > 0
