"""PagerDuty: one incident there for one here, by the documented events."""

from __future__ import annotations

import pytest

from tests.serving.notify.servers import Reply, Web
from tests.serving.notify.telling import channel, check, notice


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
def test_an_event_is_as_documented_and_its_key_is_the_incident(
    web: Web, secret: str, action: str
) -> None:
    web.answer = lambda request: Reply(202, {"status": "success", "dedup_key": "5e1f0c"})
    sent = channel("pagerduty", routing_key="${SECRET}", url=web.url).send(notice(action))
    assert sent.outcome == "sent"
    (request,) = web.requests
    assert (request.method, request.path) == ("POST", "/v2/enqueue")
    check("pagerduty", request.json)
    assert request.json["event_action"] == action
    assert (request.json["dedup_key"], request.json["routing_key"]) == ("5e1f0c", secret)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("info", "info"), ("medium", "warning"), ("high", "error"), ("critical", "critical")],
)
def test_a_trigger_says_all_there_is_within_the_limits(
    web: Web, secret: str, ours: str, theirs: str
) -> None:
    long = notice(severity=ours, title="x" * 3_000, why="y\x00" * 9_000)
    channel("pagerduty", routing_key="${SECRET}", url=web.url).send(long)
    (request,) = web.requests
    check("pagerduty", request.json)
    payload = request.json["payload"]
    assert (payload["severity"], payload["source"]) == (theirs, "db-1")
    assert payload["custom_details"]["First step"].startswith("Find the process")
    assert request.json["links"][0]["href"].endswith("/incidents/5e1f0c")
    assert len(request.body) < 512_000


def test_a_notice_of_a_playbook_is_an_incident_of_its_own(web: Web, secret: str) -> None:
    given = notice("notice", dedup_key="run:step:late:pagerduty")
    channel("pagerduty", routing_key="${SECRET}", url=web.url).send(given)
    (request,) = web.requests
    check("pagerduty", request.json)
    assert request.json["event_action"] == "trigger"
    assert request.json["dedup_key"] == "run:step:late:pagerduty"


def test_a_test_is_resolved_at_once(web: Web, secret: str) -> None:
    channel("pagerduty", routing_key="${SECRET}", url=web.url).send(
        notice("notice", detail={"test": True})
    )
    assert [one.json["event_action"] for one in web.requests] == ["trigger", "resolve"]
    assert len({one.json["dedup_key"] for one in web.requests}) == 1
