"""Pushed events: what is accepted is on disk, what is refused is told why."""

from __future__ import annotations

import io
from typing import Any

import orjson
import polars as pl
import pytest

from features.catalogue import STREAMS
from pipeline.config import Config
from pipeline.sources.kinds import build
from serving.house import House
from tests.serving.api.calling import NOON, Caller

GOOD = {"ts": "2026-03-01T11:59:30Z", "host": "db-1", "cpu": 86.0}
BAD = {"ts": "2026-03-01T11:59:30Z", "host": "db-1", "cpu": -5.0}


def spooled(call: Caller, stream: str) -> pl.DataFrame:
    """What the stream loop would read."""
    built = build(call.house.config, lambda: NOON)
    (source,) = [one for one in built.sources if one.stream.name == stream]
    batch = source.read(None)
    assert batch is not None
    return batch.events


@pytest.mark.parametrize("kind", ["application/json", "application/x-ndjson", "arrow"])
def test_accepted_and_refused_are_what_was_given(call: Caller, kind: str) -> None:
    rows = [GOOD, BAD, GOOD]
    if kind == "arrow":
        kind, out = "application/vnd.apache.arrow.stream", io.BytesIO()
        pl.DataFrame(rows).write_ipc_stream(out)
        body = out.getvalue()
    else:
        body = orjson.dumps(rows) if "ndjson" not in kind else b"\n".join(map(orjson.dumps, rows))
    answer = call("POST", "/v1/events/host", content=body, headers={"content-type": kind}).json()
    assert (answer["accepted"], answer["refused"]) == (2, 1)
    assert answer["reasons"] == {"out_of_range": 1}
    assert answer["rows"] == [{"row": 1, "reason": "out_of_range", "column": "cpu"}]
    events = spooled(call, "host")
    assert events["host"].to_list() == ["db-1", "db-1"]
    assert len(STREAMS["host"].validate(events, now=NOON).refused) == 0


def test_lines_that_are_no_json_are_refused_and_counted(call: Caller) -> None:
    body = orjson.dumps(GOOD) + b"\nnot json\n"
    headers = {"content-type": "application/x-ndjson"}
    answer = call("POST", "/v1/events/host", content=body, headers=headers).json()
    assert (answer["accepted"], answer["refused"]) == (1, 1)


@pytest.mark.parametrize("given", [[], [1], "text", None])
def test_what_could_not_hold_a_valid_row_is_an_error(shared_call: Caller, given: Any) -> None:
    answer = shared_call("POST", "/v1/events/host", json=given)
    assert answer.status_code == 422
    assert answer.json()["field"].startswith("body")


def test_rows_of_windows_that_are_closed_are_told_as_late(call: Caller) -> None:
    assert call.post("/v1/events/host", [GOOD])["late"] is None
    views = {view.view.name for view in call.house.scorers if view.view.stream.name == "host"}
    call.house.scorers.closed = dict.fromkeys(views, NOON)
    assert call.post("/v1/events/host", [GOOD])["late"] == 1
    assert call.post("/v1/events/host", [{**GOOD, "ts": "2026-03-01T12:00:00Z"}])["late"] == 0


def test_a_stream_without_a_push_source_and_a_full_spool_say_so(call: Caller) -> None:
    spool = call.house.spools["host"]
    spool.limit = 10
    answer = call("POST", "/v1/events/host", json=[GOOD])
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    del call.house.spools["host"]
    assert call("POST", "/v1/events/host", json=[GOOD]).status_code == 409


def test_two_sources_of_one_stream_fill_one_spool(call: Caller) -> None:
    sources = [
        {"kind": "push", "name": "one", "stream": "host"},
        {"kind": "push", "name": "two", "stream": "host"},
    ]
    given = {**call.house.config.model_dump(), "sources": sources}
    house = House.open(Config.model_validate(given), clock=lambda: NOON)
    assert house.spools["host"].folder.name == "one"
    house.close()
