"""E-mail: a real server gets a message that people can read and threads can hold."""

from __future__ import annotations

import pytest

from tests.serving.notify.servers import mail, refused_port
from tests.serving.notify.telling import channel, notice

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
TO = ["on-call@example.com", "Ann <ann@example.com>"]


def given(port: int, **more: object) -> dict[str, object]:
    sender = "Tocsin <tocsin@example.com>"
    return {
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": sender,
        "to": TO,
        **more,
    }


def test_a_message_arrives_as_text_and_html() -> None:
    with mail() as (post, port):
        sent = channel("email", **given(port)).send(notice())
    assert (sent.outcome, sent.detail) == ("sent", "127.0.0.1 took it for 2 of 2")
    (message,) = post.messages
    assert post.to == [["on-call@example.com", "ann@example.com"]]
    assert message["Subject"] == "HIGH: Memory: db-1"
    assert message["Date"].datetime.isoformat() == "2026-03-01T12:00:00+00:00"
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    for part in (text.get_content(), html.get_content()):
        assert "Find the process that grows" in part
        assert "https://tocsin.example.com/incidents/5e1f0c" in part


def test_messages_of_an_incident_are_one_thread_and_a_repeat_has_the_same_id() -> None:
    with mail() as (post, port):
        sender = channel("email", **given(port))
        for one in (notice(), notice(), notice("resolve", dedup_key="other")):
            sender.send(one)
    assert len({message["References"] for message in post.messages}) == 1
    ids = [message["Message-ID"] for message in post.messages]
    assert ids[0] == ids[1] != ids[2]


def test_a_name_cannot_add_a_header() -> None:
    with mail() as (post, port):
        channel("email", **given(port)).send(notice(title="a\r\nBcc: evil@example.com"))
    (message,) = post.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "HIGH: a Bcc: evil@example.com"


def test_a_server_that_wants_a_login_gets_it(secret: str) -> None:
    with mail(password=secret) as (post, port):
        right = channel("email", **given(port, user="tocsin", password="${SECRET}"))
        assert right.send(notice()).outcome == "sent"
    assert len(post.messages) == 1
    with mail(password="another") as (post, port):
        wrong = channel("email", **given(port, user="tocsin", password="${SECRET}"))
        answer = wrong.send(notice())
    assert answer.outcome == "refused"
    assert "535" in answer.detail
    assert secret not in answer.detail
    assert not post.messages


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("451 later", "retry"), ("421 busy", "retry"), ("554 no", "refused")],
)
def test_what_may_pass_later_is_tried_again(answer: str, outcome: str) -> None:
    with mail(answer=answer) as (_, port):
        assert channel("email", **given(port)).send(notice()).outcome == outcome


def test_a_server_that_is_down_is_tried_again_and_one_without_tls_is_refused() -> None:
    down = channel("email", **given(refused_port())).send(notice())
    assert (down.outcome, down.detail) == ("retry", "127.0.0.1: ConnectionRefusedError")
    with mail() as (post, port):
        bare = channel("email", **given(port, security="starttls")).send(notice())
    assert bare.outcome == "refused"
    assert not post.messages
