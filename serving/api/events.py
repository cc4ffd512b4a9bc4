"""`POST /v1/events/{stream}`: pushed events, judged at the border, spooled for the loop."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import orjson
import polars as pl
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from features.catalogue import STREAMS, VIEWS
from features.refusal import StreamError
from features.stream import Stream
from pipeline.sources.lines import parse_json, rows_of
from pipeline.sources.spool import SpoolFullError
from serving.api.matrices import wrong
from serving.api.problems import ProblemError
from serving.api.score import ARROW, POLARS, read_arrow
from serving.api.shared import At, House
from serving.auth import Operator

__all__ = ["router"]

router = APIRouter(prefix="/v1/events", tags=["events"])

LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines")
MOST_TOLD = 20


class Refused(BaseModel):
    """One row that did not pass the border."""

    row: int = Field(ge=0, description="Its place in what was pushed.")
    reason: str
    column: str


class Pushed(BaseModel):
    """What became of what was pushed."""

    stream: str
    accepted: int = Field(ge=0, description="On disk; the stream takes them in its next step.")
    refused: int = Field(ge=0)
    late: int | None = Field(
        description="Accepted rows of windows that every view has closed: kept aside. "
        "Null where no loop has run yet."
    )
    reasons: dict[str, int] = Field(description="Refused rows by reason.")
    rows: list[Refused] = Field(description=f"The first {MOST_TOLD} refused rows.")


# What a row holds is judged by the stream, row by row, not by this description.
_ROW = {"type": "object"}
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [_ROW, {"type": "array", "items": _ROW, "minItems": 1}]},
                "example": [
                    {"ts": "2026-01-31T12:00:00Z", "host": "db-1", "cpu": 86.0, "memory": 40.0}
                ],
            },
            LINES[0]: {"schema": {"type": "string"}},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/{stream}", openapi_extra=BODY)
async def push(
    stream: Literal[tuple(STREAMS)],  # type: ignore[valid-type]
    request: Request,
    house: House,
    who: Operator,
    now: At,
) -> Pushed:
    """Push events: a JSON row or list of rows, JSON lines, or an Arrow IPC stream.

    What is accepted is on disk when this answers, and each row is used once; whoever pushes
    without ids and pushes again after an error may push twice.
    """
    spool = house.spools.get(stream)
    if spool is None:
        known = ", ".join(house.spools) or "none"
        said = f"no source of kind push takes {stream}; the configuration has {known}"
        raise ProblemError(409, "Cannot be done", said, field="stream")
    body = await request.body()
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    answer, accepted = await run_in_threadpool(_judge, STREAMS[stream], kind, body, house, now)
    if len(accepted):
        try:
            await run_in_threadpool(spool.append, accepted)
        except SpoolFullError as error:
            said, wait = f"the spool of {stream} is full", {"Retry-After": "30"}
            raise ProblemError(503, "Try later", said, headers=wait) from error
    house.meters.events.labels(stream, "accepted").inc(answer.accepted)
    house.meters.events.labels(stream, "refused").inc(answer.refused)
    return answer


def _judge(
    stream: Stream, kind: str, body: bytes, house: Any, now: datetime
) -> tuple[Pushed, pl.DataFrame]:
    frame, unread = _frame(stream, kind, body)
    limit, bad = house.settings.limits.windows, 0 if unread is None else len(unread)
    if not 0 < len(frame) + bad <= limit:
        status = 413 if len(frame) else 422
        raise wrong("body", len(frame) + bad, f"1 to {limit:,} rows", status=status)
    try:
        judged = stream.validate(frame, now=now)
    except StreamError as error:
        raise ProblemError(422, "Invalid request", str(error), field="body") from error
    except (OverflowError, TypeError, ValueError, *POLARS) as error:
        said = str(error).split("\n")[0]
        raise wrong("body", said, f"rows of {stream.name}") from error
    events, refused = judged.events, judged.refused
    # Where no row has an id, its place in the spool is its id.
    kept = events if stream.id in frame.columns else events.drop(stream.id)
    rows = refused.rows.head(MOST_TOLD).select("row", "reason", "column") if len(refused) else None
    answer = Pushed(
        stream=stream.name,
        accepted=len(events),
        refused=len(refused) + bad,
        late=_late(stream, events, house),
        reasons=refused.counts | ({"not a JSON object": bad} if bad else {}),
        rows=[] if rows is None else [Refused(**row) for row in rows.iter_rows(named=True)],
    )
    return answer, kept


def _frame(stream: Stream, kind: str, body: bytes) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows, and what could not even be parsed."""
    if kind == ARROW:
        return read_arrow(body), None
    if kind in LINES:
        return parse_json(stream, body)
    if kind != "application/json":
        expected = f"application/json, {LINES[0]} or {ARROW}"
        raise wrong("content-type", kind, expected, status=415)
    try:
        rows = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise wrong("body", str(error), "JSON") from error
    rows = rows if isinstance(rows, list) else [rows]
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise wrong(f"body.{i}", row, "an object")
    return rows_of(stream, rows), None


def _late(stream: Stream, events: pl.DataFrame, house: Any) -> int | None:
    """Rows of windows that every view of the stream has closed."""
    views = [view.name for view in VIEWS.values() if view.stream.name == stream.name]
    closed = [house.scorers.closed.get(name) for name in views]
    if not closed or None in closed:
        return None
    return int((events[stream.time] < min(time for time in closed if time)).sum())
