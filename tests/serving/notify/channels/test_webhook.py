"""Signed webhooks: what the other side can check, and Alertmanager's payload."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from serving.api.alertmanager import Webhook as Alertmanager
from serving.notify.notice import Notice
from tests.serving.notify.servers import Web
from tests.serving.notify.telling import NOON, channel, check, notice


def test_the_other_side_can_check_who_sent_it_and_when(web: Web, secret: str) -> None:
    hook = channel("webhook", url=f"{web.url}/in", secret="${SECRET}")
    assert hook.send(notice()).outcome == "sent"
    (request,) = web.requests
    timestamp = request.headers["x-tocsin-timestamp"]
    assert int(timestamp) == NOON.timestamp()
    signed = timestamp.encode() + b"." + request.body
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-tocsin-signature"] == f"v1={expected}"
    assert request.path == "/in"


def test_a_repeat_has_the_same_key_and_another_message_has_not(web: Web, secret: str) -> None:
    hook = channel("webhook", url=web.url, secret="${SECRET}")
    for one in (notice(), notice(), notice("resolve", dedup_key="other")):
        hook.send(one)
    keys = [request.headers["idempotency-key"] for request in web.requests]
    assert keys[0] == keys[1] != keys[2]


def test_the_message_can_be_read_back(web: Web, secret: str) -> None:
    given = notice()
    channel("webhook", url=web.url, secret="${SECRET}").send(given)
    told = web.requests[0].json
    assert told.pop("link") == "https://tocsin.example.com/incidents/5e1f0c"
    assert told.pop("version") == "1"
    hidden = {"due_at": NOON.isoformat(), "unless_acknowledged": False, "channel": "chat"}
    assert Notice.of({**told, **hidden}) == given


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
def test_alertmanagers_payload_is_as_documented_and_can_be_taken_here(
    web: Web, secret: str, action: str
) -> None:
    hook = channel("webhook", url=web.url, secret="${SECRET}", payload="alertmanager")
    hook.send(notice(action))
    (request,) = web.requests
    check("alertmanager", request.json)
    taken = Alertmanager.model_validate_json(request.body)
    assert taken.alerts[0].status == ("resolved" if action == "resolve" else "firing")


def test_an_alert_of_alertmanager_is_the_same_from_beginning_to_end(web: Web, secret: str) -> None:
    hook = channel("webhook", url=web.url, secret="${SECRET}", payload="alertmanager")
    for one in (notice(), notice("resolve", dedup_key="other", title="another title")):
        hook.send(one)
    first, last = (request.json for request in web.requests)
    assert first["groupKey"] == last["groupKey"]
    assert first["alerts"][0]["fingerprint"] == last["alerts"][0]["fingerprint"]
    assert first["alerts"][0]["labels"] == last["alerts"][0]["labels"]
