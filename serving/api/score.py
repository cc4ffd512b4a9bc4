"""`POST /v1/score`: how rare windows are and why; nothing is learned from what is asked."""

from __future__ import annotations

import io
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
import orjson
import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from features.catalogue import VIEWS
from features.stream import TIME
from features.view import FeatureView
from pipeline.sources.arrow import ArrowError, frame_of_stream
from serving.api.judging import Judged
from serving.api.matrices import EPOCH, MICROSECOND, Given, of_columns, of_frame, of_rows, wrong
from serving.api.scorers import Limit, Served
from serving.api.shared import At, House, schema_of
from serving.auth import Operator

__all__ = ["ARROW", "POLARS", "read_arrow", "router"]

router = APIRouter(prefix="/v1/score", tags=["scores"])

ARROW = "application/vnd.apache.arrow.stream"
FIELDS = {"view", "window", "windows", "columns", "explain", "model"}
EXPLAINED = 1_000
EXPLANATION = ("arms", "features", "counterfactual")
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
        AwareDatetime | SkipJsonSchema[None], Field(description="By default the one before now.")
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
    if kind == ARROW:
        served = _served(house, view, model)
        frame = await run_in_threadpool(read_arrow, body)
        _count(len(frame), house)
        given = await run_in_threadpool(of_frame, served.view, frame, now)
        judged = await house.judge(served, given, explain=False)
        house.meters.windows.inc(len(given.entity))
        return await run_in_threadpool(_arrow, served, given, judged)
    if kind != "application/json":
        expected = f"application/json or {ARROW}"
        raise wrong("content-type", kind, expected, status=415)
    question = _parsed(body)
    served = _served(house, question["view"], question.get("model", ""))
    given = _given(served.view, question, house, now)
    explain = bool(question.get("explain", False))
    if explain and len(given.entity) > EXPLAINED:
        raise wrong("explain", len(given.entity), f"at most {EXPLAINED:,} windows", status=413)
    judged = await house.judge(served, given, explain=explain)
    house.meters.windows.inc(len(given.entity))
    return _json(served, given, judged)


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


def _json(served: Served, given: Given, judged: Judged) -> Response:
    limits = served.limits(given)
    every = served.view.every
    rows = []
    for i, (entity, at, p, per_day) in enumerate(
        zip(
            given.entity,
            given.start.tolist(),
            judged.p.tolist(),
            judged.per_day.tolist(),
            strict=True,
        )
    ):
        start = EPOCH + at * MICROSECOND
        crossed: list[Limit] = limits[i]
        row = {
            "entity": entity,
            "start": start,
            "end": start + every,
            "score": -np.log10(p) + 0.0,
            "p": p,
            "per_day": per_day,  # orjson writes NaN as null
            "warm": judged.warm,
            "reasons": judged.reasons[i] + [one.words for one in crossed],
            "limits": crossed,
        }
        if judged.explained:
            told = judged.explained[i].fields()
            row["explanation"] = {
                name: told[name] for name in ("arms", "features", "counterfactual")
            }
        rows.append(row)
    answer = {
        "view": served.view.name,
        "model": served.model,
        "state": served.state,
        "detail": served.detail,
        "scores": rows,
    }
    options = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY
    return Response(orjson.dumps(answer, option=options), media_type="application/json")


def _arrow(served: Served, given: Given, judged: Judged) -> Response:
    limits: list[list[str]] = [[] for _ in given.entity]
    for row, _, rung, _ in served.crossed(given):
        limits[row].append(rung.id)
    start = pl.Series("start", given.start).cast(TIME)
    frame = pl.DataFrame({"entity": given.entity, "start": start}).with_columns(
        (pl.col("start") + served.view.every).alias("end"),
        pl.Series("score", -np.log10(judged.p)),
        pl.Series("p", judged.p),
        pl.Series("per_day", judged.per_day, nan_to_null=True),
        pl.lit(judged.warm).alias("warm"),
        _texts("reasons", judged.reasons),
        _texts("limits", limits),
    )
    stream = io.BytesIO()
    frame.write_ipc_stream(stream)
    # Header values are Latin-1 and one line.
    shown = {"model": served.model, "state": served.state}
    headers = {f"x-tocsin-{k}": re.sub(r"[^\x20-\x7e]", "?", v) for k, v in shown.items()}
    return Response(stream.getvalue(), media_type=ARROW, headers=headers)


def _texts(name: str, rows: list[list[str]]) -> pl.Series:
    """Lists of texts, few of them different, as a column."""
    known: dict[tuple[str, ...], int] = {(): 0}
    which = [known.setdefault(tuple(row), len(known)) for row in rows]
    return pl.Series(name, [list(row) for row in known], dtype=pl.List(pl.String)).gather(which)
