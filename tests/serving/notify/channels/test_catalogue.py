"""The catalogue: every kind is made of a configuration; faults are named, secrets are not."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

from pipeline.config import ConfigError
from serving.notify.channels.catalogue import KINDS, make_channels
from tests.serving.notify.servers import Reply, Web, mail
from tests.serving.notify.telling import NOON, NOWHERE, PAGES, notice

pytestmark = [
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning"),
]
GIVEN: dict[str, dict[str, Any]] = {
    "apprise": {"target": "${TARGET}"},
    "dashboard": {},
    "email": {
        "host": "127.0.0.1",
        "security": "none",
        "user": "tocsin",
        "password": "${SECRET}",
        "sender": "a@example.com",
        "to": ["b@example.com"],
    },
    "jira": {"token": "${SECRET}", "user": "bot", "project": "OPS"},
    "pagerduty": {"routing_key": "${SECRET}"},
    "slack": {"webhook": "${ROOM}"},
    "statuspage": {"page": "abc", "api_key": "${SECRET}"},
    "teams": {"webhook": "${ROOM}"},
    "twilio": {
        "account": "AC" + "1" * 32,
        "auth_token": "${SECRET}",
        "sender": "+14155550100",
        "to": "+14155550111",
    },
    "webhook": {"secret": "${SECRET}"},
}
LITERAL = "s3cr3t-Zq81x"


def make(given: dict[str, dict[str, Any]]) -> list[Any]:
    return list(make_channels(given, NOWHERE, pages=PAGES, clock=lambda: NOON))


def test_every_kind_has_an_example_here() -> None:
    assert GIVEN.keys() == KINDS.keys()


def test_the_pages_are_always_there(secret: str) -> None:
    assert [one.name for one in make({})] == ["dashboard"]
    named = make({"phone": {"kind": "pagerduty", "routing_key": "${SECRET}"}})
    assert [one.name for one in named] == ["dashboard", "phone"]


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"kind": "pigeon"}, r"^channels.x.kind = 'pigeon'; expected one of apprise, dashboard,"),
        ({}, "^channels.x.kind = None"),
        ({"kind": "pagerduty"}, "^channels.x.routing_key: Field required"),
        ({"kind": "pagerduty", "routing_key": LITERAL}, "routing_key: holds a secret; expected"),
        ({"kind": "slack", "webhook": f"https://h.example/{LITERAL}"}, "webhook: holds a secret"),
        ({"kind": "pagerduty", "routing_key": "${ABSENT}"}, r"channels.x: secret \$\{ABSENT\}"),
        ({"kind": "pagerduty", "routing_key": "file:/no/such"}, "No such file"),
        ({"kind": "webhook", "secret": "${SECRET}", "url": "ftp://h"}, "url: expected an address"),
        (
            {"kind": "webhook", "secret": "${SECRET}", "url": f"http://u:{LITERAL}@h"},
            "url: expected an address",
        ),
        ({"kind": "dashboard", "colour": LITERAL}, "channels.x.colour: Extra inputs"),
    ],
)
def test_a_fault_is_named_without_the_value(secret: str, given: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as raised:
        make({"x": given})
    assert LITERAL not in str(raised.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        make({"a": {"kind": "slack"}, "b": {"kind": "teams"}})
    assert len(str(raised.value).splitlines()) == 2


@pytest.mark.parametrize("status", [200, 400, 401, 404, 429, 500])
def test_no_secret_is_in_a_repr_a_detail_or_a_log(
    web: Web,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    monkeypatch.setenv("ROOM", f"{web.url}/services/{secret}")
    bare = web.url.removeprefix("http://")
    monkeypatch.setenv("TARGET", f"json://user:{secret}@{bare}/{status}")
    caplog.set_level(logging.DEBUG)

    def echo(request: Any) -> Reply:
        told = f"{request.method} {request.path} {request.headers} {request.body!r}"
        return Reply(status, told.encode())

    web.answer = echo
    with mail(password="another") as (_, port):
        more: dict[str, dict[str, Any]] = {
            **{name: {"url": web.url} for name in GIVEN},
            **{name: {} for name in ("apprise", "slack", "teams", "dashboard")},
            "email": {"port": port},
        }
        made = make({name: {"kind": name, **GIVEN[name], **more[name]} for name in KINDS})
        details = [channel.send(notice()).detail for channel in made if channel.name != "dashboard"]
    said = "\n".join([*map(repr, made), *details, caplog.text])
    assert secret not in said
    assert not re.search(r"/services/s3", said)
    assert len(details) == len(KINDS) - 1
