"""The WebSocket on a real server: who may open it, what it tells, how it resumes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import pytest
import uvicorn
from websockets.asyncio import client
from websockets.exceptions import InvalidStatus

from serving.store.keys import Role
from tests.serving.api.calling import Caller

PATIENCE_S = 300.0
connect = partial(client.connect, open_timeout=PATIENCE_S)


@contextmanager
def server(call: Caller) -> Iterator[int]:
    """The application on a port of its own."""
    listening = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            listening.set()

    config = uvicorn.Config(call.app, port=0, log_level="warning", ws="websockets-sansio")
    running = Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        assert listening.wait(PATIENCE_S)
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()


async def told(socket: Any) -> dict[str, Any]:
    """The next message."""
    found: dict[str, Any] = orjson.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
    return found


def test_a_page_gets_a_snapshot_then_changes_and_resumes_where_it_stopped(call: Caller) -> None:
    call.fire({"a": 90.0})

    async def page(port: int) -> None:
        key = {"Authorization": f"Bearer {call.keys[Role.VIEWER]}"}
        url = f"ws://127.0.0.1:{port}/v1/live"
        async with connect(url, additional_headers=key) as socket:
            snapshot = await told(socket)
            assert snapshot["kind"] == "snapshot"
            assert [alert["entity"] for alert in snapshot["alerts"]] == ["a"]
            await asyncio.to_thread(call.fire, {"b": 90.0})
            change = await told(socket)
            assert (change["kind"], change["sequence"] > snapshot["sequence"]) == ("change", True)
        since = snapshot["sequence"]
        async with connect(f"{url}?since={since}", additional_headers=key) as socket:
            again = await told(socket)
            assert again == change
        async with connect(f"{url}?since=999999", additional_headers=key) as socket:
            assert (await told(socket))["kind"] == "snapshot"

    with server(call) as port:
        asyncio.run(page(port))


def test_only_keys_and_our_own_pages_may_listen(call: Caller) -> None:
    cookie, _ = call.person("ann", Role.VIEWER)

    async def opened(port: int, headers: dict[str, str], origin: str | None) -> bool:
        url = f"ws://127.0.0.1:{port}/v1/live"
        try:
            async with connect(url, additional_headers=headers, origin=origin) as socket:  # type: ignore[arg-type]
                return (await told(socket))["kind"] == "snapshot"
        except InvalidStatus:
            return False

    session = {"Cookie": f"tocsin_session={cookie}"}
    with server(call) as port:
        ours = f"http://127.0.0.1:{port}"
        assert asyncio.run(opened(port, session, ours))
        assert not asyncio.run(opened(port, session, "https://elsewhere.example"))
        assert not asyncio.run(opened(port, session, None))
        assert not asyncio.run(opened(port, {}, ours))
        assert not asyncio.run(opened(port, {"Authorization": "Bearer toc_1_2"}, None))


@pytest.mark.parametrize("key", ["", "x" * 5_000])
def test_a_wild_key_is_a_no(call: Caller, key: str) -> None:
    async def opened(port: int) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://127.0.0.1:{port}/v1/live", additional_headers=headers):
                pass

    with server(call) as port:
        asyncio.run(opened(port))
