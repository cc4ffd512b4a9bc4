"""WebSocket `/v1/live`: a snapshot, then each change with its number; resumes where it stopped."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

from serving.api.problems import ProblemError
from serving.auth import COOKIE
from serving.live import TooManyError, TooSlowError
from serving.store.keys import Role

__all__ = ["router"]

router = APIRouter()

# Codes of RFC 6455, and of the range that is left to applications.
POLICY, AGAIN, SLOW = 1008, 1013, 4008
PULSE_S = 20.0


@router.websocket("/v1/live")
async def live(socket: WebSocket, since: Annotated[int | None, Query(ge=0)] = None) -> None:
    """Messages: ``{"kind": "snapshot", "sequence": n, ...}``, ``{"kind": "change", "sequence": n,
    "change": {...}}`` and, in silence, ``{"kind": "pulse"}``.

    With ``since`` the changes after that number come in place of a snapshot, if they are known.
    """
    if not await _may(socket):
        await socket.close(POLICY)
        return
    hub = socket.app.state.house.live
    try:
        async with hub.page() as following:
            await socket.accept()
            gone = asyncio.create_task(_until_gone(socket))
            try:
                await _tell(socket, hub, following, since, gone)
            finally:
                gone.cancel()
    except TooManyError:
        await socket.close(AGAIN)
    except TooSlowError:
        await socket.close(SLOW)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the page went away while it was told something


async def _tell(
    socket: WebSocket, hub: Any, following: Any, since: int | None, gone: asyncio.Task[None]
) -> None:
    missed = None if since is None else await hub.missed(since)
    if missed is None:
        await _send(socket, {"kind": "snapshot", **await hub.snapshot()})
    told = {change["sequence"] for change in missed or ()}
    for change in missed or ():
        await _send(socket, _change(change))
    while not gone.done():
        waiting = asyncio.ensure_future(following())
        await asyncio.wait({waiting, gone}, timeout=PULSE_S, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            waiting.cancel()
            return
        if not waiting.done():
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
            await _send(socket, {"kind": "pulse"})
            continue
        change = waiting.result()
        if change["sequence"] not in told:
            await _send(socket, _change(change))


async def _until_gone(socket: WebSocket) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await socket.receive_bytes()


async def _may(socket: WebSocket) -> bool:
    """By key, or by the session of a page of our own: no other site may open this."""
    gatekeeper = socket.app.state.house.gatekeeper
    scheme, _, given = socket.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            principal = await run_in_threadpool(gatekeeper.key, given)
        else:
            origin = urlsplit(socket.headers.get("origin", "")).netloc
            if origin != socket.headers.get("host"):
                return False
            token = socket.cookies.get(COOKIE, "")
            principal = await run_in_threadpool(gatekeeper.session, token, "GET", "")
        if principal is None:
            return False
        gatekeeper.count(principal)
    except ProblemError:
        return False
    return bool(principal.role.may(Role.VIEWER))


def _change(row: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "change", "sequence": row["sequence"], "change": row}


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    # Keys of rows are strings of a kind of their own where a column is named by a reserved word.
    plain = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
    await socket.send_text(orjson.dumps(message, option=plain).decode())
