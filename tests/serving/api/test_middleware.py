"""Around every request: its size, its time, the headers of its answer."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from serving.api.metrics import Meters
from serving.api.middleware import HEADERS, Around
from tests.serving.api.calling import Caller

GET = {"type": "http", "method": "GET", "path": "/", "headers": []}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ask(app: Any, body: list[bytes], scope: Any = GET, **limits: Any) -> list[Any]:
    """What the middleware sends around an application."""
    meters = Meters(sa.create_engine("sqlite://"))
    given = {"body": 10, "seconds": 60.0, "hsts": False, "clock": lambda: NOON, **limits}
    around = Around(app, meters=meters, **given)
    sent: list[Any] = []
    parts = iter([{"type": "http.request", "body": part, "more_body": True} for part in body])

    async def receive() -> Any:
        return next(parts, {"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(around(scope, receive, send))
    return sent


async def reads(scope: Any, receive: Any, send: Any) -> None:
    """An application that reads a body and answers."""
    while (await receive()).get("more_body"):
        pass
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"a")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize(("body", "status"), [([b"12345"] * 2, 200), ([b"12345"] * 3, 413)])
def test_a_body_is_counted_as_it_comes(body: list[bytes], status: int) -> None:
    assert ask(reads, body)[0]["status"] == status


def test_a_body_that_says_it_is_too_large_is_not_read() -> None:
    scope = {**GET, "headers": [(b"content-length", b"11")]}
    assert ask(reads, [b"1"], scope)[0]["status"] == 413


def test_an_answer_that_takes_too_long_is_ended() -> None:
    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    assert ask(hangs, [], seconds=0.01)[0]["status"] == 503


def test_headers_are_on_every_answer_and_what_is_set_stays() -> None:
    headers = dict(ask(reads, [], hsts=True)[0]["headers"])
    assert headers[b"x-frame-options"] == b"a"
    assert b"strict-transport-security" in headers
    assert set(HEADERS) <= {name.decode() for name in headers}


def test_errors_carry_the_headers_too(shared_call: Caller) -> None:
    for path in ("/v1/alerts/none", "/nothing", "/v1/alerts?limit=0"):
        answer = shared_call("GET", path)
        assert answer.status_code in (404, 422)
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_answer_tells_the_time_of_the_house() -> None:
    headers = dict(ask(reads, [])[0]["headers"])
    assert headers[b"x-tocsin-now"] == b"2026-03-01T12:00:00+00:00"
