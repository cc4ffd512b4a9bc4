"""Incidents over HTTP: their timeline, their documentation, their end."""

from __future__ import annotations

from dataclasses import replace

from serving.notify.notice import enqueue
from serving.store.keys import Role
from serving.store.tables import outbox
from tests.serving.api.calling import Caller
from tests.serving.notify.telling import notice


def test_an_incident_tells_what_happened_in_order(call: Caller) -> None:
    call.fire({"a": 90.0})
    (listed,) = call.get("/v1/incidents", params={"state": "open"})["items"]
    whole = call.get(f"/v1/incidents/{listed['id']}", role=Role.VIEWER)
    assert [alert["entity"] for alert in whole["alerts"]] == ["a"]
    assert {message["channel"] for message in whole["messages"]} >= {"pagerduty", "email"}
    call.post("/v1/alerts/acts", {"ids": [whole["alerts"][0]["id"]], "what": "acknowledge"})
    timeline = call.get(f"/v1/incidents/{listed['id']}")["timeline"]
    assert [entry["what"] for entry in timeline] == ["fired", "acknowledge"]
    assert timeline[1]["who"] == "key:admin"
    assert call("GET", "/v1/incidents/none").status_code == 404


def test_what_is_told_once_for_many_runs_says_so(call: Caller) -> None:
    call.fire({"a": 90.0})
    (listed,) = call.get("/v1/incidents")["items"]
    told = [notice(dedup_key=f"{n}", incident=listed["id"], topic="held") for n in range(3)]
    with call.house.engine.begin() as connection:
        for one in told:
            enqueue(connection, [replace(one, action="notice")], now=call.now)
        sent = outbox.update().where(outbox.c.dedup_key == "0")
        connection.execute(sent.values(state="sent", sent_at=call.now))
    timeline = call.get(f"/v1/incidents/{listed['id']}")["timeline"]
    assert "notice; 2 more like it were not sent" in {
        entry["why"] for entry in timeline if "why" in entry
    }


def test_documentation_is_kept_and_an_incident_ends_once(call: Caller) -> None:
    call.fire({"a": 90.0})
    (listed,) = call.get("/v1/incidents")["items"]
    path = f"/v1/incidents/{listed['id']}"
    fields = {"owner": "ann", "resolution": "more memory", "summary": "it was full"}
    answer = call("PATCH", path, json=fields, role=Role.OPERATOR).json()
    assert (answer["owner"], answer["fields"]["resolution"]) == ("ann", "more memory")
    assert call("PATCH", path, json={"other": "x"}).status_code == 422
    assert call("POST", f"{path}/close", role=Role.OPERATOR).status_code == 403
    assert call.post(f"{path}/close", role=Role.RESPONDER)["state"] == "resolved"
    assert call("POST", f"{path}/close").status_code == 409
    assert {alert["state"] for alert in call.get("/v1/alerts")["items"]} == {"resolved"}


def test_the_document_holds_hostile_names_as_text(call: Caller) -> None:
    hostile = '<img src=x onerror="a()"> [b](javascript:c)\n# d'
    call.fire({hostile: 90.0})
    (listed,) = call.get("/v1/incidents")["items"]
    answer = call("GET", f"/v1/incidents/{listed['id']}/markdown")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert "&lt;img" in answer.text
    assert "<img" not in answer.text
    assert "\\[b\\](javascript" in answer.text
    assert "\n# d" not in answer.text
    assert "## Timeline" in answer.text
