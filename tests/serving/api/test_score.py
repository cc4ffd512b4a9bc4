"""Scores for requests: what is said of windows, and what is refused by name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from features.catalogue import VIEWS
from features.stream import TIME
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer
from serving.store.keys import Role
from tests.serving.api.calling import NOON, Caller, calling

VIEW = VIEWS["system.host_1m"]
ARROW = {"content-type": "application/vnd.apache.arrow.stream"}


def history(count: int, first: int = 0, seed: int = 0) -> pl.DataFrame:
    """Minutes of two hosts before noon, that differ by noise."""
    rng = np.random.default_rng([seed, first])
    values = rng.lognormal(mean=2.0, sigma=0.1, size=(count, len(VIEW.names)))
    number = pl.int_range(first, first + count, eager=True)
    start = pl.lit(NOON - timedelta(days=3)).cast(TIME) + VIEW.every * (number // 2)
    return pl.DataFrame(values, schema=VIEW.names).with_columns(
        ("h" + (number % 2).cast(pl.String)).alias("entity"),
        start.alias("start"),
        (start + VIEW.every).alias("end"),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Caller, Scorer]]:
    """A caller whose house has a model of hosts, and the model."""
    home: Path = tmp_path_factory.mktemp("trained")
    scorer = Scorer(VIEW)
    for at in range(0, 8_000, 2_000):
        scorer.step(history(2_000, at))
    assert scorer.warm
    scorer.save(model_path(home, VIEW))
    with calling(home, f"sqlite:///{home}/store.db") as call:
        call.house.scorers.refresh()
        yield call, scorer


def rows(windows: pl.DataFrame) -> list[dict[str, Any]]:
    """Windows as JSON rows."""
    return [
        {**row, "start": row["start"].isoformat(), "end": row["end"].isoformat()}
        for row in windows.iter_rows(named=True)
    ]


def test_a_score_is_what_the_stream_would_say_and_changes_nothing(
    trained: tuple[Caller, Scorer],
) -> None:
    call, _ = trained
    window = history(1, 8_000)
    given = {"view": VIEW.name, "windows": rows(window)}
    first = call.post("/v1/score", given)
    assert call.post("/v1/score", given) == first
    (said,) = first["scores"]
    path = model_path(call.house.config.home, VIEW)
    by_step = Scorer.load(VIEW, path).step(window).row(0, named=True)
    assert (said["p"], said["warm"]) == (by_step["p"], True)
    assert said["per_day"] == pytest.approx(by_step["per_day"])
    assert first["state"] == "ok"


def test_rows_columns_and_arrow_say_the_same(trained: tuple[Caller, Scorer]) -> None:
    call, _ = trained
    windows = history(300, 8_000)
    by_row = call.post("/v1/score", {"view": VIEW.name, "windows": rows(windows)})["scores"]
    columns = {name: [row[name] for row in rows(windows)] for name in windows.columns}
    by_column = call.post("/v1/score", {"view": VIEW.name, "columns": columns})["scores"]
    assert by_row == by_column
    stream = io.BytesIO()
    windows.write_ipc_stream(stream)
    answer = call("POST", f"/v1/score?view={VIEW.name}", content=stream.getvalue(), headers=ARROW)
    frame = pl.read_ipc_stream(io.BytesIO(answer.content))
    assert answer.headers["x-tocsin-state"] == "ok"
    assert frame["p"].to_list() == [row["p"] for row in by_row]
    assert frame["reasons"].list.len().to_list() == [
        len(row["reasons"]) - len(row["limits"]) for row in by_row
    ]


def test_a_rare_window_has_reasons_and_says_what_would_have_been_usual(
    trained: tuple[Caller, Scorer],
) -> None:
    call, _ = trained
    name = "cpu_max"
    strange = history(1, 8_000).with_columns((pl.col(name) * 50).alias(name))
    given = {"view": VIEW.name, "window": rows(strange)[0], "explain": True}
    (said,) = call.post("/v1/score", given)["scores"]
    assert said["per_day"] < 24
    assert said["reasons"]
    told = said["explanation"]
    assert told["features"][0]["feature"] == name
    assert sum(told["arms"].values()) == pytest.approx(1.0)


def test_without_a_model_the_limits_still_judge(call: Caller) -> None:
    given = {"view": VIEW.name, "window": {"entity": "db-1", "cpu_max": 86.0}}
    answer = call.post("/v1/score", given)
    (said,) = answer["scores"]
    assert answer["state"] == "degraded: thresholds only"
    assert (said["warm"], said["per_day"], said["p"]) == (False, None, 1.0)
    assert [one["severity"] for one in said["limits"]] == ["high"]
    assert said["start"] == "2026-03-01T11:59:00Z"
    quiet = call.post("/v1/score", {**given, "window": {"entity": "db-1", "cpu_max": 10.0}})
    assert not quiet["scores"][0]["limits"]


WINDOW = {"entity": "a", "cpu_max": 1.0}
AT = {**WINDOW, "start": "2026-03-01T11:59:00Z"}


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"window": WINDOW}, 422, "view"),
        ({"view": VIEW.name, "windows": [AT, {**AT, "end": None}]}, 422, "windows.1.end"),
        ({"view": VIEW.name, "windows": [AT, {**AT, "start": []}]}, 422, "windows.1.start"),
        ({"view": VIEW.name, "windows": [AT, {**AT, "end": AT["start"]}]}, 422, "windows.1.end"),
        ({"view": "nothing", "window": WINDOW}, 422, "view"),
        ({"view": VIEW.name}, 422, "windows"),
        ({"view": VIEW.name, "window": WINDOW, "windows": [WINDOW]}, 422, "windows"),
        ({"view": VIEW.name, "window": WINDOW, "more": 1}, 422, "more"),
        ({"view": VIEW.name, "window": {**WINDOW, "gpu": 1.0}}, 422, "windows.0.gpu"),
        ({"view": VIEW.name, "window": {**WINDOW, "cpu_max": "1"}}, 422, "windows.0.cpu_max"),
        ({"view": VIEW.name, "window": {**WINDOW, "cpu_max": True}}, 422, "windows.0.cpu_max"),
        ({"view": VIEW.name, "window": {**WINDOW, "cpu_max": 1e300}}, 422, "windows.0.cpu_max"),
        ({"view": VIEW.name, "window": {"entity": "a"}}, 422, "windows.0"),
        ({"view": VIEW.name, "window": {"cpu_max": 1.0}}, 422, "windows.0.entity"),
        ({"view": VIEW.name, "window": {**WINDOW, "start": "noon"}}, 422, "windows.0.start"),
        ({"view": VIEW.name, "window": {**WINDOW, "start": "2026-03-01"}}, 422, "windows.0.start"),
        ({"view": VIEW.name, "columns": {"entity": ["a"], "cpu_max": []}}, 422, "columns"),
        ({"view": VIEW.name, "window": WINDOW, "model": "another"}, 409, "model"),
        ({"view": VIEW.name, "window": WINDOW, "explain": 1}, 422, "explain"),
        ([], 422, "body"),
    ],
)
def test_what_cannot_be_scored_is_refused_by_its_name(
    shared_call: Caller, given: Any, status: int, field: str
) -> None:
    answer = shared_call("POST", "/v1/score", json=given)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


def test_windows_of_one_time_are_told_apart_by_what_else_they_say(shared_call: Caller) -> None:
    given = [
        AT,
        {**AT, "cpu_max": 86.0},
        {**WINDOW, "end": []},
        {**AT, "start": AT["start"][:-1] + "+01:00"},
    ]
    found = shared_call.post("/v1/score", {"view": VIEW.name, "windows": given})["scores"]
    minutes = [row["start"][11:16] for row in found]
    assert minutes == ["11:59", "11:59", "11:59", "10:59"]
    assert [bool(row["limits"]) for row in found] == [False, True, False, False]


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"\xff", b'{"view": NaN}', b"1e999"])
def test_what_is_no_json_is_refused(shared_call: Caller, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = shared_call("POST", "/v1/score", content=body, headers=headers)
    assert answer.status_code == 422


def test_other_kinds_of_body_and_broken_arrow_are_refused(shared_call: Caller) -> None:
    call = shared_call
    text = {"content-type": "text/plain"}
    assert call("POST", "/v1/score", content=b"a", headers=text).status_code == 415
    path = f"/v1/score?view={VIEW.name}"
    assert call("POST", path, content=b"ARROW1", headers=ARROW).status_code == 422
    for frame in (
        pl.DataFrame({"entity": ["a"], "cpu_max": [1.0]}),
        pl.DataFrame({"entity": ["a"], "start": [datetime(2026, 1, 1, tzinfo=UTC)], "gpu": [1.0]}),
        pl.DataFrame(
            {"entity": ["a"], "start": [datetime(2026, 1, 1, tzinfo=UTC)], "cpu_max": [np.nan]}
        ),
    ):
        stream = io.BytesIO()
        frame.write_ipc_stream(stream)
        answer = call("POST", path, content=stream.getvalue(), headers=ARROW)
        assert answer.status_code == 422, answer.text


def test_a_promoted_model_is_taken_up_and_a_damaged_one_is_said_plainly(
    trained: tuple[Caller, Scorer], tmp_path: Path
) -> None:
    _, scorer = trained
    with calling(tmp_path, f"sqlite:///{tmp_path}/store.db") as call:
        call.house.scorers.refresh()
        assert not call.house.scorers[VIEW.name].model
        path = model_path(tmp_path, VIEW)
        scorer.save(path)
        call.house.scorers.refresh()
        assert call.house.scorers[VIEW.name].state == "ok"
        path.write_bytes(b"broken")
        call.house.scorers.refresh()
        answer = call.post("/v1/score", {"view": VIEW.name, "window": WINDOW})
        assert answer["state"] == "degraded: thresholds only"
        (model,) = [m for m in call.get("/v1/models", role=Role.VIEWER) if m["view"] == VIEW.name]
        assert model["state"] == answer["state"]


def test_who_asks_while_another_is_judged_gets_reasons_of_their_own(
    trained: tuple[Caller, Scorer],
) -> None:
    _, scorer = trained
    windows = history(50, 8_000)
    start = windows["start"].to_physical().to_numpy()
    values = windows.select(VIEW.names).to_numpy(order="c")
    entity, every = windows["entity"].to_list(), np.ones(50, bool)
    alone = scorer.peek(entity, start, values)[0]
    expected = alone.reasons(every).to_list()
    evidence, _ = scorer.peek(entity, start, values)
    scorer.peek(entity[:1], start[:1], values[:1] * 100)
    assert evidence.reasons(every).to_list() == expected
    assert evidence.certain.tolist() == alone.certain.tolist()
