"""Bodies that nobody would send on purpose: each is answered, and none is kept in memory."""

from __future__ import annotations

import gc
import io
import random
import sys
from collections import Counter
from typing import Any

import orjson
import polars as pl
import psutil
import pytest

from features.catalogue import STREAMS, VIEWS
from serving.store.keys import Role
from tests.serving.api.calling import Caller

JSON, LINES = "application/json", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
WORDS: list[Any] = [
    None, True, 0, -1, 2**63, -(2**63), 1e308, -0.0, 5e-324, "", "\x00", "NaN", "Infinity",
    "\ufeff", "'; DROP TABLE alerts; --", "{0.__class__}", "../../etc/passwd", "a" * 2_000,
    "2026-03-01T11:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "file:///etc/passwd", [], {}, [[[[]]]], {"a": {"b": [None]}},
]  # fmt: skip


def valid(chance: random.Random) -> tuple[str, str, bytes]:
    """A path, a kind and a body that make sense."""
    if chance.random() < 0.5:
        view = VIEWS[chance.choice(list(VIEWS))]
        window = {"entity": "a", "start": "2026-03-01T11:00:00Z"}
        window |= {name: chance.lognormvariate(0, 3) for name in view.names}  # type: ignore[misc]
        form = chance.choice(["window", "windows", "columns"])
        given: Any = {"window": window, "windows": [window, window]}.get(form)
        given = given or {name: [value] for name, value in window.items()}
        question = {"view": view.name, form: given, "explain": chance.random() < 0.2}
        return "/v1/score", JSON, orjson.dumps(question)
    stream = STREAMS[chance.choice(list(STREAMS))]
    row = {column.name: chance.choice(WORDS) for column in stream.columns}
    row[stream.time] = "2026-03-01T11:00:00Z"
    path, kind = f"/v1/events/{stream.name}", chance.choice([JSON, LINES, ARROW])
    if kind == ARROW:
        text = {name: [None if value is None else str(value)] for name, value in row.items()}
        out = io.BytesIO()
        pl.DataFrame(text).write_ipc_stream(out)
        return path, kind, out.getvalue()
    return path, kind, orjson.dumps(row if kind == LINES else [row, row], default=str)


def broken(chance: random.Random, body: bytes) -> bytes:
    """A body with a fault in it: bytes changed, cut, doubled, or a value replaced."""
    way = chance.randrange(5)
    at = chance.randrange(len(body) + 1)
    if way == 0:
        return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
    if way == 1:
        return body[:at]
    if way == 2:
        return body[:at] + body[at // 2 :]
    if way == 3:
        return chance.randbytes(chance.randrange(200))
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[at:] + body[:at]
    return orjson.dumps(_replaced(chance, given))


def _replaced(chance: random.Random, given: Any) -> Any:
    if isinstance(given, dict) and given and chance.random() < 0.8:
        name = chance.choice(list(given))
        new = chance.choice([name, "__proto__", "entity"])
        return {**given, new: _replaced(chance, given[name])}
    if isinstance(given, list) and given and chance.random() < 0.8:
        return [_replaced(chance, given[0]), *given[1:]]
    return chance.choice(WORDS)


def fuzz(call: Caller, times: int, seed: int) -> Counter[int]:
    """Send so many bodies, one after another; the answers counted by their status."""
    return call.portal.call(_fuzzed, call, times, random.Random(seed))


async def _fuzzed(call: Caller, times: int, chance: random.Random) -> Counter[int]:
    told = Counter[int]()
    for _ in range(times):
        path, kind, body = valid(chance)
        if chance.random() < 0.9:
            body = broken(chance, body)
        status, said = await _told(call, path, kind, body)
        assert status < 500, (path, kind, body, said)
        told[status] += 1
    return told


async def _told(call: Caller, path: str, kind: str, body: bytes) -> tuple[int, bytes]:
    """The status and the body of an answer; a client of HTTP would take most of the time."""
    headers = {
        "host": "testserver",
        "authorization": f"Bearer {call.keys[Role.ADMIN]}",
        "content-type": kind,
        "content-length": str(len(body)),
    }
    scope = {
        "type": "http", "http_version": "1.1", "scheme": "https", "method": "POST", "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("testserver", 443),
    }  # fmt: skip
    given = iter([{"type": "http.request", "body": body}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(given)

    async def send(message: Any) -> None:
        sent.append(message)

    await call.app(scope, receive, send)
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


def _held() -> tuple[int, int]:
    """Blocks that Python holds, and bytes that the process does, of which it knows not all."""
    gc.collect()
    return sys.getallocatedblocks(), psutil.Process().memory_info().rss


def test_five_thousand_bodies_are_answered(shared_call: Caller) -> None:
    told = fuzz(shared_call, 5_000, 0)
    assert told.total() == 5_000
    assert told[200] > 100
    assert told[422] > 1_000


@pytest.mark.slow
def test_a_hundred_thousand_bodies_leave_memory_flat(shared_call: Caller) -> None:
    told = fuzz(shared_call, 50_000, 1)
    blocks, resident = _held()
    told += fuzz(shared_call, 50_000, 2)
    blocks_after, resident_after = _held()
    assert told.total() == 100_000
    assert blocks_after - blocks < 50_000 * 0.5
    assert resident_after - resident < 16 * 2**20
