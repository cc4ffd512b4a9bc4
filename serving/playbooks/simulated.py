"""The platform's admin API, made up: to drill and to test against, in this process or over HTTP.

It keeps resources by path, honours ``Idempotency-Key``, and logs each effect once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

import httpx

__all__ = ["Effected", "SimulatedPlatform"]

COLLECTIONS: dict[str, dict[str, Any]] = {
    "gates/trading": {"open": True},
    "gates/withdrawals": {"open": True},
    "gates/load": {"percent": 100},
    "deploys": {"frozen": False},
    "accounts/": {"frozen": False},
    "keys/": {"revoked": False, "per_minute": None},
    "markets/": {"halted": False},
    "feeds/": {"source": "primary"},
    "services/": {"replicas": 2, "version": "1"},
    "database/queries/": {"state": "running"},
    "queues/": {"kind": "events", "drained": False},
}
"""What is there before anybody touches it, by the beginning of its path."""


class Effected(NamedTuple):
    """One effect: by which key, on what, and the state it was put into."""

    key: str
    resource: str
    state: dict[str, Any]


class SimulatedPlatform:
    """A platform whose admin API can be called.

    Parameters
    ----------
    token : str
        What callers must present.
    on_change : callable
        Called with each resource and its new state, so that a simulation can follow.

    Attributes
    ----------
    log : list of Effected
        Each effect once, in order; a repeat under the same key is none.
    """

    def __init__(
        self,
        token: str = "drill",
        on_change: Callable[[str, Mapping[str, Any]], None] = lambda resource, state: None,
    ) -> None:
        self._token = token
        self._on_change = on_change
        self._lock = Lock()
        self._kept: dict[str, dict[str, Any]] = {}
        self._answered: dict[str, tuple[str, dict[str, Any]]] = {}
        self.log: list[Effected] = []

    def put(self, resource: str, **state: Any) -> None:
        """Make a resource so from the beginning: no effect of anybody's action."""
        self._kept[resource] = {**(self.state(resource) or {}), **state}

    def state(self, resource: str) -> dict[str, Any] | None:
        """What a resource is now; None where there is no such thing."""
        usual = [s for path, s in COLLECTIONS.items() if resource.startswith(path)]
        return self._kept.get(resource) or (dict(usual[0]) if usual else None)

    def answer(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Status and body for a request."""
        given = {name.lower(): value for name, value in headers.items()}
        if given.get("authorization") != f"Bearer {self._token}":
            return 401, {"title": "not allowed"}
        resource = path.lstrip("/").removeprefix("admin/")
        with self._lock:
            found = self.state(resource)
            if found is None:
                return 404, {"title": "not found"}
            if method == "GET":
                return 200, found
            wanted = json.loads(body)
            key = given.get("idempotency-key", "")
            if method != "PUT" or not key or not isinstance(wanted, dict):
                return 400, {"title": "expected PUT of an object with an Idempotency-Key"}
            if key not in self._answered:
                self._kept[resource] = found | wanted
                self._answered[key] = (resource, wanted)
                self.log.append(Effected(key, resource, wanted))
                self._on_change(resource, self._kept[resource])
            elif self._answered[key] != (resource, wanted):
                return 422, {"title": "this key was used for something else"}
            return 200, self._kept[resource]

    def client(self) -> httpx.Client:
        """A client that speaks to it within this process."""

        def handled(request: httpx.Request) -> httpx.Response:
            path = request.url.raw_path.decode()
            status, told = self.answer(request.method, path, request.content, request.headers)
            return httpx.Response(status, json=told)

        headers = {"Authorization": f"Bearer {self._token}"}
        transport = httpx.MockTransport(handled)
        return httpx.Client(base_url="http://platform", headers=headers, transport=transport)

    @contextmanager
    def serve(self) -> Iterator[str]:
        """A real HTTP server on a free port of this machine; gives its URL."""
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = dict(self.headers.items())
                status, told = platform.answer(self.command, self.path, body, sent)
                written = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(written)))
                self.end_headers()
                self.wfile.write(written)

            do_GET = do_PUT = handle_any  # noqa: N815 - names of the library

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
