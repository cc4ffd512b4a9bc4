"""Chat rooms: documented messages; a name of an entity is a name, whatever is in it."""

from __future__ import annotations

import json

import pytest

from tests.serving.notify.servers import Web
from tests.serving.notify.telling import channel, check, notice

HOSTILE = "<!channel> [here](http://evil.example) *x*\n\x00" + "y" * 5_000


@pytest.mark.parametrize("kind", ["slack", "teams"])
@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve", "notice"])
def test_a_message_is_as_documented(
    web: Web, monkeypatch: pytest.MonkeyPatch, kind: str, action: str
) -> None:
    monkeypatch.setenv("ROOM", f"{web.url}/services/T0/B0/x")
    room = channel(kind, webhook="${ROOM}")
    assert room.send(notice(action)).outcome == "sent"
    (request,) = web.requests
    assert (request.method, request.path) == ("POST", "/services/T0/B0/x")
    check(kind, request.json)
    text = request.body.decode()
    assert "https://tocsin.example.com/incidents/5e1f0c" in text
    assert "88 %" in text


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_hostile_names_call_nobody_and_link_nowhere(
    web: Web, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("ROOM", web.url)
    given = notice(title=HOSTILE, why=HOSTILE, first_step=HOSTILE, detail={"entity": HOSTILE})
    channel(kind, webhook="${ROOM}").send(given)
    (request,) = web.requests
    check(kind, request.json)
    told = json.dumps(request.json)
    if kind == "slack":
        # A header is plain text: there the characters stand for themselves.
        blocks = request.json["blocks"]
        assert "<!channel>" not in request.json["text"] + blocks[1]["text"]["text"]
    else:
        assert "](http" not in told
