"""Bodies that nobody would send on purpose: each is answered, and none is kept in memory."""

from __future__ import annotations

import io
import random
import tracemalloc
from typing import Any

import orjson
import polars as pl
import pytest

from features.catalogue import STREAMS, VIEWS
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


def fuzz(call: Caller, times: int, seed: int) -> dict[int, int]:
    """Send so many bodies; the answers counted by their status."""
    chance, told = random.Random(seed), dict[int, int]()
    for _ in range(times):
        path, kind, body = valid(chance)
        if chance.random() < 0.9:
            body = broken(chance, body)
        answer = call("POST", path, content=body, headers={"content-type": kind})
        assert answer.status_code < 500, (path, kind, body, answer.text)
        told[answer.status_code] = told.get(answer.status_code, 0) + 1
    return told


def _held(call: Caller, times: int, seed: int) -> dict[int, int]:
    """Fuzz, and see that what was sent is not held."""
    fuzz(call, times // 10, seed)
    tracemalloc.start(1)
    try:
        told = fuzz(call, times // 2, seed + 1)
        before, _ = tracemalloc.get_traced_memory()
        for status, count in fuzz(call, times - times // 2, seed + 2).items():
            told[status] = told.get(status, 0) + count
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2**20 + 50 * times
    return told


def test_five_thousand_bodies_are_answered(shared_call: Caller) -> None:
    told = fuzz(shared_call, 5_000, 0)
    assert sum(told.values()) == 5_000
    assert told[200] > 100
    assert told[422] > 1_000


@pytest.mark.slow
def test_a_hundred_thousand_bodies_leave_memory_flat(shared_call: Caller) -> None:
    told = _held(shared_call, 100_000, 1)
    assert sum(told.values()) == 100_000
