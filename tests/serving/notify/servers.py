"""Real servers for channels to talk to: HTTP that answers as told, SMTP that keeps what it gets."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


@dataclass
class Request:
    """What a channel sent."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Reply:
    """What the server answers; ``hang`` takes two seconds to hang up, ``drop`` does at once."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    how: str = "answer"


Answering = Callable[[Request], Reply]


class Web:
    """An HTTP server that records requests; `answer` decides what comes back."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Answering = lambda request: Reply()
        self.closed = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            split = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            query = dict(parse_qsl(split.query))
            request = Request(self.command, split.path, query, headers, body)
            web.requests.append(request)
            reply = web.answer(request)
            if reply.how != "answer":
                if reply.how == "hang":
                    web.closed.wait(2)
                self.close_connection = True
                return
            told = reply.body
            sent = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response_only(reply.status)
            for name, value in {**reply.headers, "content-length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = handle_one  # noqa: N815

        def log_message(self, *given: object) -> None:
            return

    return Handler


def refused_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Post:
    """What an SMTP server got: envelopes and messages."""

    def __init__(self, answer: str) -> None:
        self.messages: list[EmailMessage] = []
        self.to: list[list[str]] = []
        self._answer = answer

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self._answer.startswith("250"):
            parsed = BytesParser(policy=modern).parsebytes(envelope.content)
            self.messages.append(cast(EmailMessage, parsed))
            self.to.append(list(envelope.rcpt_tos))
        return self._answer


@contextmanager
def mail(*, password: str | None = None, answer: str = "250 OK") -> Iterator[tuple[Post, int]]:
    """An SMTP server on this machine, with or without a login; yields its post and port."""
    post = Post(answer)

    def check(server: Any, session: Any, envelope: Any, how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        return AuthResult(success=given.password.decode() == password, handled=False)

    login: dict[str, Any] = (
        {"authenticator": check, "auth_required": True, "auth_require_tls": False}
        if password
        else {}
    )
    # Its own patience ends after five seconds.
    where: dict[str, Any] = {"hostname": "127.0.0.1", "port": refused_port(), "ready_timeout": 120}
    controller = Controller(post, **where, **login)
    controller.start()
    try:
        yield post, controller.port
    finally:
        controller.stop()
