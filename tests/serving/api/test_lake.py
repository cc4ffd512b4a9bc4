"""What the pages read from the lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from serving.api.lake import HISTORY, banded, bounds, points_of, read
from serving.api.problems import ProblemError
from tests.serving.api.calling import HOST, NOON, Caller
from tests.serving.api.watched import fill

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def frame(values: list[float | None]) -> pl.DataFrame:
    starts = [BEGIN + timedelta(minutes=n) for n in range(len(values))]
    return pl.DataFrame({"start": starts, "x": values}, schema_overrides={"x": pl.Float64()})


def test_a_band_does_not_know_its_own_window_or_a_later_one() -> None:
    values: list[float | None] = [10.0 + n % 5 for n in range(HISTORY)]
    whole = banded(frame([*values, 1e6, 1e6]), ["x"])
    part = banded(frame(values), ["x"])
    assert whole.head(HISTORY).drop("start").equals(part.drop("start"))
    assert whole["x__high"][HISTORY] < 20


def test_a_band_begins_when_enough_is_known_and_is_not_below_what_cannot_be() -> None:
    made = banded(frame([0.0, 1.0] * 30), ["x"])
    assert made["x__low"].head(20).null_count() == 20
    assert made["x__low"].drop_nulls().min() == 0.0
    assert made["x__high"].drop_nulls().max() == 2.5
    assert banded(frame([-1.0, 1.0] * 30), ["x"])["x__low"][-1] == -4.0


def test_what_went_wrong_for_an_hour_does_not_widen_the_band_of_six() -> None:
    values: list[float | None] = [10.0, 11.0, 12.0, 13.0] * 90
    values[200:260] = [1e6] * 60
    assert banded(frame(values), ["x"])["x__high"][-1] < 20


def test_points_keep_what_is_unknown_unknown() -> None:
    rows = banded(frame([None] * 9 + [5.0]), ["x"]).with_columns(per_day=pl.lit(None, pl.Float64))
    assert points_of(rows, ["x"], 5)["x"].to_list() == [None, None, None, None, 5.0]
    assert len(points_of(rows, ["x"], 100)) == 10


def test_a_range_is_a_day_up_to_now_unless_it_is_said() -> None:
    assert bounds(None, None, NOON) == (NOON - timedelta(days=1), NOON)
    with pytest.raises(ProblemError, match="since is"):
        bounds(NOON, NOON, NOON)
    with pytest.raises(ProblemError, match="until is"):
        bounds(None, NOON + timedelta(days=2), NOON)


def test_a_damaged_lake_is_a_problem_with_a_name(call: Caller) -> None:
    fill(call)
    for file in call.house.lake.root.rglob("*.parquet"):
        file.write_bytes(b"nothing")
    with pytest.raises(ProblemError) as raised:
        read(call.house, HOST.name, NOON - timedelta(days=1), NOON, ["memory_max"])
    assert raised.value.status == 503
