"""Text messages: Twilio's form, short enough, with the link."""

from __future__ import annotations

import base64

import pytest

from serving.notify.message import SMS_LONGEST
from tests.serving.notify.servers import Reply, Web
from tests.serving.notify.telling import channel, check, notice

ACCOUNT = "AC" + "0" * 32
SERVICE = "MG" + "a" * 32


@pytest.mark.parametrize(
    ("sender", "field"), [("+14155550100", "From"), (SERVICE, "MessagingServiceSid")]
)
def test_a_message_is_as_documented(web: Web, secret: str, sender: str, field: str) -> None:
    web.answer = lambda request: Reply(201, {"sid": "SM1", "status": "queued"})
    given = {"account": ACCOUNT, "auth_token": "${SECRET}", "to": "+14155550111"}
    sent = channel("twilio", sender=sender, url=web.url, **given).send(notice())
    assert sent.outcome == "sent"
    (request,) = web.requests
    assert request.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    check("twilio", request.form)
    assert request.form[field] == sender
    assert len(request.form["Body"]) <= SMS_LONGEST
    assert request.form["Body"].endswith("https://tocsin.example.com/incidents/5e1f0c")
    kind, _, credentials = request.headers["authorization"].partition(" ")
    assert (kind, base64.b64decode(credentials)) == ("Basic", f"{ACCOUNT}:{secret}".encode())


def test_a_telephone_number_is_not_told_in_errors(web: Web, secret: str) -> None:
    web.answer = lambda request: Reply(400, {"message": "+14155550111 is not a number"})
    given = {"account": ACCOUNT, "auth_token": "${SECRET}", "to": "+14155550111"}
    answer = channel("twilio", sender=SERVICE, url=web.url, **given).send(notice())
    assert answer.outcome == "refused"
    assert "is not a number" in answer.detail
    assert "4155550111" not in answer.detail
