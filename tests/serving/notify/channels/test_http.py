"""One request: what is sent, what is worth another try, what is refused, and what is never said."""

from __future__ import annotations

import logging

import pytest

from serving.notify.channels.http import call
from tests.serving.notify.servers import Reply, Web, refused_port

DATE = "Sun, 01 Mar 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "sent"),
        (202, "sent"),
        (204, "sent"),
        (400, "refused"),
        (401, "refused"),
        (403, "refused"),
        (404, "refused"),
        (408, "retry"),
        (410, "refused"),
        (429, "retry"),
        (500, "retry"),
        (502, "retry"),
        (503, "retry"),
    ],
)
def test_an_answer_is_judged_by_its_status(web: Web, status: int, outcome: str) -> None:
    web.answer = lambda request: Reply(status, b"" if status == 204 else b"why not")
    answer = call("POST", web.url, hide=(), json={})
    assert answer.delivery.outcome == outcome
    assert f"127.0.0.1 answered {status}" in answer.delivery.detail


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "99999999"}, 3_600.0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": DATE}, 30.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT", "date": DATE}, 0.0),
        ({}, None),
    ],
)
def test_who_asks_to_wait_is_given_time_but_not_for_ever(
    web: Web, given: dict[str, str], seconds: float | None
) -> None:
    web.answer = lambda request: Reply(429, headers=given)
    found = call("POST", web.url, hide=(), json={}).delivery.retry_after
    assert found == seconds


def test_a_redirect_is_not_followed(web: Web) -> None:
    web.answer = lambda request: Reply(307, headers={"location": "http://127.0.0.1:1/elsewhere"})
    assert call("POST", web.url, hide=(), json={}).delivery.outcome == "refused"
    assert len(web.requests) == 1


@pytest.mark.parametrize("how", ["hang", "drop"])
def test_what_the_network_does_may_pass(web: Web, impatient: None, how: str) -> None:
    web.answer = lambda request: Reply(how=how)
    assert call("POST", web.url, hide=(), json={}).delivery.outcome == "retry"


def test_a_server_that_is_not_there_may_come_back() -> None:
    answer = call("POST", f"http://127.0.0.1:{refused_port()}", hide=(), json={})
    assert (answer.delivery.outcome, answer.delivery.detail) == ("retry", "127.0.0.1: ConnectError")


def test_an_endless_answer_is_cut_off(web: Web) -> None:
    web.answer = lambda request: Reply(200, b"x" * 5_000_000)
    assert call("GET", web.url, hide=()).ok


def test_secrets_are_in_no_detail_and_in_no_log(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    url = f"{web.url}/services/T00AABB/B11CCDD/xyzzyPlugh"
    caplog.set_level(logging.DEBUG)
    details = []
    for status in (200, 404, 500):
        web.answer = lambda request, status=status: Reply(status, request.path.encode())  # type: ignore[misc]
        details.append(call("POST", url, hide=[url], json={}).delivery.detail)
    web.close()
    details.append(call("POST", url, hide=[url], json={}).delivery.detail)
    said = caplog.text + "".join(details)
    assert "127.0.0.1" in said
    assert "HTTP Request" in caplog.text
    for piece in ("T00AABB", "B11CCDD", "xyzzyPlugh"):
        assert piece not in said
