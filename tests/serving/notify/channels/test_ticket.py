"""Tickets: one for each incident, however often it is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.serving.notify.servers import Reply, Request, Web
from tests.serving.notify.telling import channel, check, notice


class Jira:
    """As much of Jira as counts here: issues with labels, comments, transitions."""

    def __init__(self, web: Web) -> None:
        self.issues: dict[str, dict[str, Any]] = {}
        web.answer = self.answer

    def answer(self, request: Request) -> Reply:
        parts = request.path.split("/")
        if request.path == "/rest/api/3/search/jql":
            jql = request.query["jql"]
            found = [k for k, one in self.issues.items() if f'"{one["labels"][1]}"' in jql]
            return Reply(200, {"issues": [{"key": key} for key in found], "isLast": True})
        if request.path == "/rest/api/2/issue":
            check("jira", request.json)
            key = f"OPS-{len(self.issues) + 1}"
            self.issues[key] = {**request.json["fields"], "comments": [], "moves": []}
            return Reply(201, {"id": "1", "key": key})
        issue = self.issues[parts[5]]
        if parts[6] == "comment":
            assert list(request.json) == ["body"]
            issue["comments"].append(request.json["body"])
            return Reply(201, {"id": "7"})
        assert list(request.json["transition"]) == ["id"]
        if issue["moves"]:
            return Reply(400, {"errorMessages": ["It is closed."]})
        issue["moves"].append(request.json["transition"]["id"])
        return Reply(204, b"")


@pytest.fixture
def jira(web: Web) -> Jira:
    return Jira(web)


def given(web: Web, **more: str) -> dict[str, str]:
    return {"url": web.url, "token": "${SECRET}", "project": "OPS", **more}


def test_an_incident_has_one_ticket_which_gets_the_rest_as_comments(
    web: Web, secret: str, jira: Jira
) -> None:
    ticket = channel("jira", user="bot@example.com", **given(web, resolve_by="31"))
    for action in ("trigger", "trigger", "acknowledge", "resolve", "resolve"):
        assert ticket.send(notice(action)).outcome == "sent"
    (issue,) = jira.issues.values()
    assert issue["labels"] == ["tocsin", "tocsin-5e1f0c"]
    assert len(issue["comments"]) == 4
    assert issue["moves"] == ["31"]
    assert {request.headers["authorization"][:6] for request in web.requests} == {"Basic "}


def test_an_answer_that_is_lost_makes_no_second_ticket(
    web: Web, secret: str, jira: Jira, impatient: None
) -> None:
    def lossy(request: Request) -> Reply:
        reply = jira.answer(request)
        return Reply(how="drop") if reply.status == 201 else reply

    web.answer = lossy
    ticket = channel("jira", **given(web))
    assert ticket.send(notice()).outcome == "retry"
    web.answer = jira.answer
    assert ticket.send(notice()).outcome == "sent"
    assert len(jira.issues) == 1
    assert {request.headers["authorization"] for request in web.requests} == {f"Bearer {secret}"}


def test_a_playbook_has_a_ticket_of_its_own_and_nothing_is_closed_that_was_not_opened(
    web: Web, secret: str, jira: Jira
) -> None:
    ticket = channel("jira", **given(web))
    assert ticket.send(notice("resolve")).outcome == "sent"
    assert not jira.issues
    ticket.send(notice())
    ticket.send(notice("notice", dedup_key="run:step:ticket"))
    assert len(jira.issues) == 2


def test_markup_in_a_name_stays_text(web: Web, secret: str, jira: Jira) -> None:
    channel("jira", **given(web)).send(notice(why="{noformat} [~admin] {code}"))
    (issue,) = jira.issues.values()
    assert issue["description"].count("{") == 2


def test_a_search_that_fails_creates_nothing(web: Web, secret: str) -> None:
    web.answer = lambda request: Reply(503)
    assert channel("jira", **given(web)).send(notice()).outcome == "retry"
    assert [request.method for request in web.requests] == ["GET"]
