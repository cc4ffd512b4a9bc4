"""Answers: the same said in rows and in columns."""

from __future__ import annotations

import io

import numpy as np
import orjson
import polars as pl

from features.catalogue import VIEWS
from serving.api.answers import as_arrow, as_json
from serving.api.judging import Judged
from serving.api.limits import crossings
from serving.api.matrices import Given
from serving.api.scorers import Served
from serving.rules.load import PACKS, load_packs

VIEW = VIEWS["system.host_1m"]
LADDERS = tuple(
    one for pack in load_packs([PACKS]) for one in pack.ladders if one.view == VIEW.name
)


def test_rows_and_columns_say_the_same_in_the_same_order() -> None:
    values = np.full((4, len(VIEW.names)), np.nan)
    values[:, VIEW.names.index("cpu_max")] = 10.0, 99.0, 10.0, 86.0
    values[:, VIEW.names.index("memory_max")] = 10.0, 99.0, 10.0, 10.0
    given = Given(["a", "b", "c", "d"], np.arange(4) * 60_000_000, values)
    served = Served(VIEW, model="m/1\n", state="ok", ladders=LADDERS)
    p = np.array([1.0, 1e-9, 0.5, 1e-3])
    reasons = {3: ["one"], 1: ["two", "three"]}
    crossed = crossings(VIEW, LADDERS, given)
    judged = Judged(p, np.array([np.nan, 1e-6, 700.0, 1.4]), True, crossed, reasons)
    rows = orjson.loads(as_json(served, given, judged).body)["scores"]
    answer = as_arrow(served, given, judged)
    frame = pl.read_ipc_stream(io.BytesIO(bytes(answer.body)))
    for name in ("entity", "p", "per_day", "warm"):
        assert frame[name].to_list() == [row[name] for row in rows]
    assert frame["score"].to_list() == [row["score"] for row in rows]
    assert frame["reasons"].to_list() == [[], ["two", "three"], [], ["one"]]
    ids = [[one["rule"] for one in row["limits"]] for row in rows]
    assert frame["limits"].to_list() == ids
    assert [len(one) for one in ids] == [0, 2, 0, 1]
    for row, told in zip(rows, frame["reasons"].to_list(), strict=True):
        assert row["reasons"] == told + [one["words"] for one in row["limits"]]
    assert answer.headers["x-tocsin-model"] == "m/1?"


def test_without_limits_and_reasons_the_columns_are_empty_lists() -> None:
    given = Given(["a"], np.zeros(1, np.int64), np.ones((1, len(VIEW.names))))
    judged = Judged(np.ones(1), np.full(1, np.nan), False, np.zeros((1, 0), np.int8))
    answer = as_arrow(Served(VIEW), given, judged)
    frame = pl.read_ipc_stream(io.BytesIO(bytes(answer.body)))
    assert frame["limits"].to_list() == frame["reasons"].to_list() == [[]]
    assert frame.schema["limits"] == pl.List(pl.String)
