"""What was judged, as an answer: rows of JSON, or the columns of an Arrow IPC stream."""

from __future__ import annotations

import io
import re

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from fastapi import Response
from numpy.typing import NDArray

from features.stream import TIME
from serving.api.judging import Judged
from serving.api.limits import limits
from serving.api.matrices import EPOCH, MICROSECOND, Given
from serving.api.scorers import Served

__all__ = ["ARROW", "as_arrow", "as_json"]

ARROW = "application/vnd.apache.arrow.stream"
EXPLANATION = ("arms", "features", "counterfactual")


def as_json(served: Served, given: Given, judged: Judged) -> Response:
    """One object a window, in their order."""
    every, rows = served.view.every, []
    columns = (given.entity, given.start.tolist(), judged.p.tolist(), judged.per_day.tolist())
    score = (-np.log10(judged.p) + 0.0).tolist()
    crossed = limits(served.view, served.ladders, given, judged.crossed)
    for i, (entity, at, p, per_day) in enumerate(zip(*columns, strict=True)):
        start = EPOCH + at * MICROSECOND
        row = {
            "entity": entity,
            "start": start,
            "end": start + every,
            "score": score[i],
            "p": p,
            "per_day": per_day,  # orjson writes NaN as null
            "warm": judged.warm,
            "reasons": [*judged.reasons.get(i, ()), *(one["words"] for one in crossed[i])],
            "limits": crossed[i],
        }
        if judged.explained:
            told = judged.explained[i].fields()
            row["explanation"] = {name: told[name] for name in EXPLANATION}
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


def as_arrow(served: Served, given: Given, judged: Judged) -> Response:
    """One column for each thing that is said; of limits the ids, without words."""
    start = pl.Series("start", given.start).cast(TIME)
    ids = pa.array([rung.id for one in served.ladders for rung in one.rungs], pa.string())
    before = np.cumsum([0, *(len(one.rungs) for one in served.ladders)])
    crossed = judged.crossed > 0
    which = before[np.nonzero(crossed)[1]] + judged.crossed[crossed] - 1
    rare = sorted(judged.reasons)
    reasons = [text for row in rare for text in judged.reasons[row]]
    told = np.zeros(len(judged.p), np.int64)
    told[rare] = [len(judged.reasons[row]) for row in rare]
    frame = pl.DataFrame({"entity": given.entity, "start": start}).with_columns(
        (pl.col("start") + served.view.every).alias("end"),
        pl.Series("score", -np.log10(judged.p)),
        pl.Series("p", judged.p),
        pl.Series("per_day", judged.per_day, nan_to_null=True),
        pl.lit(judged.warm).alias("warm"),
        _lists("reasons", told, pa.array(reasons, pa.string())),
        _lists("limits", crossed.sum(axis=1), ids.take(pa.array(which))),
    )
    stream = io.BytesIO()
    frame.write_ipc_stream(stream)
    # Header values are Latin-1 and one line.
    shown = {"model": served.model, "state": served.state}
    headers = {f"x-tocsin-{k}": re.sub(r"[^\x20-\x7e]", "?", v) for k, v in shown.items()}
    return Response(stream.getvalue(), media_type=ARROW, headers=headers)


def _lists(name: str, counts: NDArray[np.int64], texts: pa.Array) -> pl.Series:
    """Texts of the rows one after another, so many of each, as a column of lists."""
    ends = np.concatenate([[0], counts.cumsum()]).astype(np.int32)
    return pl.Series(name, pa.ListArray.from_arrays(ends, texts))
