"""Around every request: a limit of size, a limit of time, headers that browsers heed, counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.metrics import Meters
from serving.api.problems import ProblemError

__all__ = ["HEADERS", "Around"]

HEADERS = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Of every answer that does not set its own; pages allow more (`serving.web`)."""

_RAW = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


class _TooLargeError(Exception):
    pass


class Around:
    """Middleware of the whole application.

    Parameters
    ----------
    app : ASGIApp
    meters : Meters
    body : int
        Bytes of a request at most.
    seconds : float
        Time of an answer at most.
    hsts : bool
        Whether browsers are told to come back by TLS only.
    clock : callable
        Gives the time of the house, which need not be that of who asks; every answer tells it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        meters: Meters,
        body: int,
        seconds: float,
        hsts: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._app, self._meters = app, meters
        self._body, self._seconds = body, seconds
        self._clock = clock
        self._raw = list(_RAW)
        if hsts:
            self._raw.append((b"strict-transport-security", b"max-age=31536000"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.setdefault("headers", [])
                there = {name.lower() for name, _ in given}
                now = (b"x-tocsin-now", self._clock().isoformat().encode())
                ours = (h for h in self._raw if h[0] not in there)
                message["headers"] = [*given, *ours, now]
            await send(message)

        try:
            # A timeout that interrupts nothing costs two calls of the loop's clock.
            async with asyncio.timeout(self._seconds):
                await self._app(scope, self._limited(scope, receive), tell)
        except TimeoutError:
            if not status:
                said = f"the answer took longer than {self._seconds:g} s"
                await ProblemError(503, "Too slow", said).response()(scope, receive, tell)
        except _TooLargeError:
            if not status:
                said = f"the body has more than {self._body:,} bytes"
                await ProblemError(413, "Too large", said).response()(scope, receive, tell)
        finally:
            self._meters.took(scope, status or 499, time.perf_counter() - began)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        declared = next((v for k, v in scope["headers"] if k == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._body:

            async def refuse() -> Message:
                raise _TooLargeError

            return refuse
        left = self._body

        async def read() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLargeError
            return message

        return read
