"""apprise: any URL; what fails is tried again, what is no URL is not."""

from __future__ import annotations

import pytest

from tests.serving.notify.servers import Reply, Web
from tests.serving.notify.telling import channel, notice

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")


def target(web: Web, path: str) -> str:
    return web.url.replace("http://", "json://") + path


def test_a_message_arrives(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", target(web, "/arrives"))
    assert channel("apprise", target="${TARGET}").send(notice()).outcome == "sent"
    (request,) = web.requests
    assert request.json["title"] == "HIGH: Memory: db-1"
    assert "Find the process that grows" in request.json["message"]
    assert request.json["type"] == "failure"


def test_a_service_that_fails_is_tried_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", target(web, "/fails"))
    web.answer = lambda request: Reply(500)
    assert channel("apprise", target="${TARGET}").send(notice()).outcome == "retry"


def test_what_is_no_url_of_a_service_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET", "nothing-of-the-kind")
    assert channel("apprise", target="${TARGET}").send(notice()).outcome == "refused"
