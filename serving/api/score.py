"""`POST /v1/score`: how rare windows are and why; nothing is learned from what is asked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from features.catalogue import VIEWS
from features.view import FeatureView
from pipeline.sources.arrow import ArrowError, frame_of_stream
from serving.api.answers import ARROW, as_arrow, as_json
from serving.api.matrices import Given, of_columns, of_frame, of_rows, wrong
from serving.api.scorers import Served
from serving.api.shared import At, House, Time, schema_of
from serving.auth import Operator

__all__ = ["ARROW", "POLARS", "read_arrow", "router"]

router = APIRouter(prefix="/v1/score", tags=["scores"])

FIELDS = {"view", "window", "windows", "columns", "explain", "model"}
EXPLAINED = 1_000
LARGE = 2**18
POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What its parsers may raise of hostile bytes; a panic is no Exception."""

EXAMPLE: dict[str, Any] = {
    "view": "system.host_1m",
    "window": {"entity": "db-1", "start": "2026-01-31T12:00:00Z", "cpu_max": 86.0},
    "explain": True,
}


class Window(BaseModel):
    """One window: features by name, null or absent where unknown."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    entity: str = Field(min_length=1, max_length=500)
    start: Annotated[
        Time | SkipJsonSchema[None], Field(description="By default the one before now.")
    ] = None


class Question(BaseModel):
    """Windows of one view, as one of `window`, `windows` and `columns`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    view: str = Field(json_schema_extra={"enum": list(VIEWS)})
    window: Window | SkipJsonSchema[None] = None
    windows: Annotated[list[Window], Field(min_length=1)] | SkipJsonSchema[None] = None
    columns: dict[str, list[float | str | None]] | SkipJsonSchema[None] = None
    explain: bool = Field(default=False, description="Arms, features and what would be usual.")
    model: str = Field(default="", description="Refused with 409 where another one scores.")


class Crossed(BaseModel):
    """A static limit that the window crosses; it is a breach when it is `held` that often."""

    rule: str
    severity: Literal["info", "low", "medium", "high", "critical"]
    feature: str
    operator: str
    limit: float
    value: float
    held: str
    words: str


class Score(BaseModel):
    """What is said of one window."""

    entity: str
    start: AwareDatetime
    end: AwareDatetime
    score: float = Field(ge=0, description="-log10 of p.")
    p: float = Field(gt=0, le=1, description="Chance that a normal window is as unusual.")
    per_day: float | None = Field(description="How often normal life brings one; null if cold.")
    warm: bool
    reasons: list[str]
    limits: list[Crossed]
    explanation: dict[str, Any] | None = None


class Answer(BaseModel):
    """The scores, in the order of the windows."""

    view: str
    model: str = Field(description="Name and version; empty where none was trained.")
    state: str = Field(description="ok, or degraded: and how.")
    detail: str
    scores: list[Score]


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schema_of(Question)},
            ARROW: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("", response_model=Answer, openapi_extra=BODY)
async def score(
    request: Request, house: House, who: Operator, now: At, view: str = "", model: str = ""
) -> Response:
    """Score windows of one view: one, many as rows or columns, or an Arrow IPC stream.

    Of Arrow the view and the model are given in the query, and the answer is Arrow too.
    Each window is judged alone, against what the model has learned; nothing is changed.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip()
    if kind not in ("application/json", ARROW):
        raise wrong("content-type", kind, f"application/json or {ARROW}", status=415)
    # What takes long is done beside the loop, which goes on answering others.
    run = run_in_threadpool if len(body) > LARGE else _here
    if kind == ARROW:
        served = _served(house, view, model)
        given, explain, answer = await run(_of_arrow, served, house, body, now), False, as_arrow
    else:
        served, given, explain = await run(_of_json, house, body, now)
        answer = as_json
    judged = await house.judge(served, given, explain=explain)
    house.meters.windows.inc(len(given.entity))
    return await run(answer, served, given, judged)


async def _here(work: Callable[..., Any], *given: Any) -> Any:
    return work(*given)


def _of_arrow(served: Served, house: Any, body: bytes, now: datetime) -> Given:
    frame = read_arrow(body)
    _count(len(frame), house)
    return of_frame(served.view, frame, now)


def _of_json(house: Any, body: bytes, now: datetime) -> tuple[Served, Given, bool]:
    question = _parsed(body)
    served = _served(house, question["view"], question.get("model", ""))
    given = _given(served.view, question, house, now)
    explain = bool(question.get("explain", False))
    if explain and len(given.entity) > EXPLAINED:
        raise wrong("explain", len(given.entity), f"at most {EXPLAINED:,} windows", status=413)
    return served, given, explain


def read_arrow(body: bytes) -> pl.DataFrame:
    """An Arrow IPC stream as a frame.

    Raises
    ------
    ProblemError
        422 where it cannot be read.
    """
    try:
        return frame_of_stream(body)
    except ArrowError as error:
        raise wrong("body", f"{len(body):,} bytes", "an Arrow IPC stream") from error


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        question = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise wrong("body", str(error), "JSON") from error
    if not isinstance(question, dict):
        raise wrong("body", question, "an object")
    if unknown := question.keys() - FIELDS:
        raise wrong(min(unknown), "unknown", f"some of {', '.join(sorted(FIELDS))}")
    for name, kind in (("view", str), ("model", str), ("explain", bool)):
        if name in question and type(question[name]) is not kind:
            raise wrong(name, question[name], f"a {kind.__name__}")
    if "view" not in question:
        raise wrong("view", "missing", f"one of {', '.join(VIEWS)}")
    return question


def _served(house: Any, view: str, model: str) -> Served:
    if view not in VIEWS:
        raise wrong("view", view, f"one of {', '.join(VIEWS)}")
    served: Served = house.scorers[view]
    if model and model != served.model:
        raise wrong("model", model, f"{served.model or 'no model yet'!r}", status=409)
    return served


def _given(view: FeatureView, question: dict[str, Any], house: Any, now: datetime) -> Given:
    said = [name for name in ("window", "windows", "columns") if name in question]
    if len(said) != 1:
        raise wrong("windows", ", ".join(said) or "missing", "one of window, windows, columns")
    given: Any = question[said[0]]
    if said == ["window"]:
        return of_rows(view, [given], now)
    if said == ["windows"]:
        if not isinstance(given, list) or not given:
            raise wrong("windows", given, "a list of windows")
        _count(len(given), house)
        return of_rows(view, given, now)
    if not isinstance(given, dict) or not given:
        raise wrong("columns", given, "lists by name")
    _count(max(len(column) if isinstance(column, list) else 1 for column in given.values()), house)
    return of_columns(view, given, now)


def _count(count: int, house: Any) -> None:
    if count > house.settings.limits.windows:
        raise wrong("windows", count, f"at most {house.settings.limits.windows:,}", status=413)
    if count == 0:
        raise wrong("windows", 0, "at least one")
