"""The status page: one public incident, and not a word of what only we know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.notify.servers import Reply, Request, Web
from tests.serving.notify.telling import channel, check, notice


class Page:
    """As much of Statuspage as counts here."""

    def __init__(self, web: Web) -> None:
        self.incidents: list[dict[str, Any]] = []
        web.answer = self.answer

    def answer(self, request: Request) -> Reply:
        assert request.headers["authorization"].startswith("OAuth ")
        if request.path.endswith("/incidents/unresolved"):
            return Reply(200, [one for one in self.incidents if one["status"] != "resolved"])
        check("statuspage", request.json)
        given = request.json["incident"]
        if request.method == "POST":
            assert request.path == "/v1/pages/abc123/incidents"
            given["id"] = f"i{len(self.incidents)}"
            given["incident_updates"] = []
            self.incidents.append(given)
        else:
            assert request.method == "PATCH"
            one = next(i for i in self.incidents if request.path.endswith(f"/incidents/{i['id']}"))
            one |= given
            given = one
        update = {"status": given["status"], "body": given["body"]}
        given["incident_updates"].insert(0, update)
        return Reply(201 if request.method == "POST" else 200, given)


@pytest.fixture
def page(web: Web) -> Page:
    return Page(web)


def given(web: Web) -> dict[str, Any]:
    return {"url": web.url, "page": "abc123", "api_key": "${SECRET}", "components": ["c1"]}


def test_an_incident_is_opened_once_updated_and_closed(web: Web, secret: str, page: Page) -> None:
    status = channel("statuspage", **given(web))
    update = notice("notice", why="We have found the cause.", detail={"status": "identified"})
    for one in (notice(), notice(), update, update, notice("resolve"), notice("resolve")):
        assert status.send(one).outcome == "sent"
    (public,) = page.incidents
    said = [one["status"] for one in public["incident_updates"]]
    assert said == ["resolved", "identified", "investigating"]
    assert (public["impact_override"], public["component_ids"]) == ("major", ["c1"])


def test_the_public_reads_no_names_no_reasons_and_no_scores(
    web: Web, secret: str, page: Page
) -> None:
    status = channel("statuspage", **given(web))
    for action in ("trigger", "resolve"):
        status.send(notice(action))
    text = b"".join(request.body for request in web.requests).decode()
    for word in ("db-1", "Memory", "88", "83", "rule", "40 days", "tocsin.example.com"):
        assert word not in text


def test_an_incident_of_somebody_else_is_left_alone(web: Web, secret: str, page: Page) -> None:
    theirs = {"id": "x", "status": "investigating", "metadata": {}, "incident_updates": []}
    page.incidents.append(dict(theirs))
    status = channel("statuspage", **given(web))
    assert status.send(notice("resolve")).outcome == "sent"
    assert page.incidents == [theirs]


def test_a_test_publishes_nothing_and_an_acknowledgement_is_not_for_it(
    web: Web, secret: str, page: Page
) -> None:
    status = channel("statuspage", **given(web))
    assert status.send(notice("notice", detail={"test": True})).outcome == "sent"
    assert not page.incidents
    assert "acknowledge" not in status.actions
    web.answer = lambda request: Reply(401, {"error": "Could not authenticate"})
    assert status.send(notice("notice", detail={"test": True})).outcome == "refused"
