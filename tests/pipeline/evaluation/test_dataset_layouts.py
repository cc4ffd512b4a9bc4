"""Sets of series and of rows are scored blind; what cannot be scored is refused in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.evaluation.dataset import COLUMNS, Dataset, blind_scores
from pipeline.evaluation.series import score_rows, score_series
from pipeline.files import InputError

NOW = datetime(2027, 1, 1, tzinfo=UTC)
START = datetime(2026, 1, 30, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")


def samples(n: int = 300, entities: str = "ab", *, train: int | None = None) -> pl.DataFrame:
    """Two metrics of each entity every 30 seconds."""
    rng = np.random.default_rng(0)
    at = [START + i * timedelta(seconds=30) for i in range(n)]
    split = (
        [] if train is None else [pl.Series("split", ["train"] * train + ["test"] * (n - train))]
    )
    return pl.concat(
        pl.DataFrame(
            [
                pl.Series("ts", at, dtype=TIME),
                pl.Series("entity", [entity] * n),
                *split,
                pl.Series("m00", rng.normal(size=n), dtype=pl.Float32),
                pl.Series("m01", rng.integers(0, 9, n)),
            ]
        )
        for entity in entities
    )


def rows(n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "row": np.arange(1_000, 1_000 + n),
            "f0": rng.normal(size=n),
            "f1": rng.integers(0, 9, n),
            "flag": rng.random(n) < 0.5,
        }
    )


def written(folder: Path, layout: str, frame: pl.DataFrame, **meta: Any) -> Dataset:
    meta = {"stream": "system", "layout": layout, **meta}
    (folder / "meta.json").write_text(json.dumps(meta))
    frame.write_parquet(folder / f"{layout}.parquet")
    return Dataset.open(folder)


def blind(dataset: Dataset) -> pl.DataFrame:
    return blind_scores(dataset, now=NOW, seed=0)


@pytest.mark.parametrize("train", [None, 200])
def test_series_are_scored_without_labels(tmp_path: Path, train: int | None) -> None:
    frame = samples(train=train)
    found = blind(written(tmp_path, "series", frame))
    assert found.columns == COLUMNS
    assert found.schema["start"] == found.schema["end"] == TIME
    tested = frame if train is None else frame.filter(pl.col("split") == "test")
    assert_frame_equal(
        found.select("entity", ts="start"), tested.select("entity", "ts"), check_exact=True
    )
    assert_frame_equal(
        found, score_series(frame, step=timedelta(seconds=30), seed=0), check_exact=True
    )


def test_labels_in_the_folder_change_no_score(tmp_path: Path) -> None:
    dataset = written(tmp_path, "series", samples())
    before = blind(dataset)
    (tmp_path / "labels.csv").write_text("no labels at all")
    assert_frame_equal(blind(dataset), before, check_exact=True)


@pytest.mark.parametrize("ordered", [False, True])
def test_rows_are_scored_without_labels(tmp_path: Path, ordered: bool) -> None:
    frame = rows()
    found = blind(written(tmp_path, "rows", frame, ordered=ordered))
    assert found.columns == ["row", "score", "p"]
    assert found["row"].to_list() == frame["row"].to_list()
    X = np.ascontiguousarray(frame.drop("row").cast(pl.Float64).to_numpy())
    score, p = score_rows(X, ordered=ordered, seed=0)
    np.testing.assert_array_equal(found["score"], score)
    np.testing.assert_array_equal(found["p"], p)


def test_rows_have_no_order_unless_it_is_told(tmp_path: Path) -> None:
    silent = blind(written(tmp_path, "rows", rows()))
    assert_frame_equal(silent, blind(written(tmp_path, "rows", rows(), ordered=False)))
    assert not silent.equals(blind(written(tmp_path, "rows", rows(), ordered=True)))


def test_the_rows_of_the_file_may_come_in_any_order_of_entities_and_times(tmp_path: Path) -> None:
    for name in ("sorted", "mixed"):
        (tmp_path / name).mkdir()
    frame = samples(train=200)
    mixed = frame.sample(fraction=1, shuffle=True, seed=1)
    assert_frame_equal(
        blind(written(tmp_path / "mixed", "series", mixed)),
        blind(written(tmp_path / "sorted", "series", frame)),
        check_exact=True,
    )


def test_a_time_of_another_zone_and_unit_is_the_same_time(tmp_path: Path) -> None:
    before = blind(written(tmp_path, "series", samples()))
    other = pl.col("ts").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns")
    assert_frame_equal(blind(written(tmp_path, "series", samples().with_columns(other))), before)


def test_an_entity_that_is_a_number_is_known_by_its_text(tmp_path: Path) -> None:
    frame = samples(entities="a").with_columns(entity=pl.lit(17))
    assert blind(written(tmp_path, "series", frame))["entity"].unique().to_list() == ["17"]


@pytest.mark.parametrize(("meta", "seconds"), [({}, 30), ({"step_seconds": 7.5}, 7.5)])
def test_the_step_is_told_or_else_the_median(
    tmp_path: Path, meta: dict[str, float], seconds: float
) -> None:
    # A gap of a day between two samples is not the step.
    gap = pl.when(pl.int_range(pl.len()).over("entity") > 100).then(pl.duration(days=1))
    frame = samples().with_columns(pl.col("ts") + gap.otherwise(pl.duration()))
    dataset = written(tmp_path, "series", frame, **meta)
    assert dataset.step(dataset.samples()) == timedelta(seconds=seconds)
    found = blind(dataset)
    np.testing.assert_allclose(found["per_day"], found["p"] * 2 * 86_400 / seconds)


def test_a_single_sample_has_a_step_too(tmp_path: Path) -> None:
    dataset = written(tmp_path, "series", samples(1, "a"))
    assert dataset.step(dataset.samples()) > timedelta(0)
    assert blind(dataset)["warm"].to_list() == [False]


def test_times_of_labels_of_series_are_utc(tmp_path: Path) -> None:
    dataset = written(tmp_path, "series", samples())
    (tmp_path / "labels.csv").write_text(
        "entity,start,end,kind\na,2026-01-30T02:00:00+02:00,2026-01-30T00:01:00Z,x\n"
    )
    assert dataset.labels().rows() == [("a", START, START + timedelta(minutes=1))]


def test_labels_of_rows_are_their_numbers(tmp_path: Path) -> None:
    dataset = written(tmp_path, "rows", rows())
    (tmp_path / "labels.csv").write_text("row,anomaly\n1003,1\n1001,1\n")
    assert dataset.labels()["row"].to_list() == [1003, 1001]


def refused(folder: Path, *say: str) -> Any:
    """The error is one line that starts with the place and says each of the things."""
    words = ".*".join(say)
    return pytest.raises(InputError, match=rf"\A{folder}[^\n]*{words}[^\n]*\Z")


at_150 = pl.int_range(pl.len()) == 150


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.exclude("ts"), "series.parquet: column ts is missing; expected ts and entity"),
        (pl.exclude("entity"), "column entity is missing; expected ts and entity"),
        (pl.exclude("m00", "m01"), "no column of numbers; expected at least one"),
        ([pl.all(), pl.lit("up").alias("state")], "column state is String; expected numbers"),
        ([pl.all(), pl.col("ts").alias("seen")], "column seen is Datetime.*; expected numbers"),
        ([pl.exclude("ts"), pl.col("ts").dt.replace_time_zone(None)], "ts is .*expected a UTC"),
        ([pl.exclude("ts"), pl.col("ts").cast(pl.String)], "ts is String; expected a UTC time"),
        ([pl.exclude("ts"), pl.col("ts").cast(pl.Int64)], "ts is Int64; expected a UTC time"),
        ([pl.exclude("ts"), pl.when(~at_150).then("ts").alias("ts")], "ts or entity is missing"),
        (
            [pl.exclude("entity"), pl.when(~at_150).then("entity").alias("entity")],
            "ts or entity is missing",
        ),
        (
            [pl.exclude("m00"), pl.when(at_150).then(np.inf).otherwise("m00").alias("m00")],
            "m00 is infinite; expected a finite number",
        ),
    ],
)
def test_series_that_are_none_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    dataset = written(tmp_path, "series", samples().select(change))
    with refused(tmp_path, message):
        blind(dataset)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (pl.lit("test"), "entity a: split is test at 2026-01-30 00:00:00; expected all of train"),
        (pl.lit("fit"), "split is fit at"),
        (pl.when(pl.col("entity") == "a").then(pl.lit("train")), "entity b: split is None"),
        # History in the middle of what is to be scored would be a look ahead.
        (
            pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("train")).otherwise(pl.lit("x")),
            "entity a: split is train at 2026-01-30 00:01:00",
        ),
    ],
)
def test_history_comes_first_or_the_set_is_refused(
    tmp_path: Path, split: pl.Expr, message: str
) -> None:
    dataset = written(tmp_path, "series", samples().with_columns(split=split))
    with refused(tmp_path, message):
        blind(dataset)


@pytest.mark.parametrize("step", [0, -60, "60", None, float("nan")])
def test_a_step_that_is_no_time_is_refused(tmp_path: Path, step: object) -> None:
    dataset = written(tmp_path, "series", samples(), step_seconds=step)
    with refused(tmp_path, "step_seconds is .*; expected a number above 0"):
        blind(dataset)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (pl.exclude("row"), "rows.parquet: column row is missing"),
        (pl.col("row"), "no column of numbers; expected at least one"),
        ([pl.all(), pl.lit("tcp").alias("f2")], "column f2 is String; expected numbers"),
        ([pl.exclude("row"), pl.col("row").cast(pl.String)], "row is String; expected integers"),
        (
            [pl.exclude("f1"), pl.when(~at_150).then("f1").alias("f1")],
            "row 150: f1 = nan; expected a finite number",
        ),
        (
            [pl.exclude("f0"), pl.when(at_150).then(-np.inf).otherwise("f0").alias("f0")],
            "row 150: f0 = -inf; expected a finite number",
        ),
    ],
)
def test_rows_that_are_none_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    dataset = written(tmp_path, "rows", rows().select(change))
    with refused(tmp_path, message):
        blind(dataset)


@pytest.mark.parametrize("layout", ["series", "rows"])
def test_a_set_without_its_file_is_refused(tmp_path: Path, layout: str) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"stream": "system", "layout": layout}))
    with refused(tmp_path, f"{layout}.parquet: no such file"):
        blind(Dataset.open(tmp_path))


@pytest.mark.parametrize(
    ("layout", "labels", "message"),
    [
        ("rows", None, "expected labels with row"),
        ("rows", "number\n1\n", "expected labels with row"),
        ("rows", "row\nfive\n", "expected labels with row"),
        ("series", None, "expected labels with entity, start and end"),
        ("series", "row\n5\n", "expected labels with entity, start and end"),
        ("series", "entity,start,end\na,2026-01-30T00:00:00,noon\n", "expected labels with entity"),
    ],
)
def test_labels_of_another_layout_are_refused(
    tmp_path: Path, layout: str, labels: str | None, message: str
) -> None:
    dataset = written(tmp_path, layout, rows())
    if labels is not None:
        (tmp_path / "labels.csv").write_text(labels)
    with refused(tmp_path, "labels.csv", message):
        dataset.labels()


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"layout": "heaps"}, "layout heaps; expected one of events, series, rows"),
        ({"layout": "Series"}, "layout Series; expected one of"),
        ({"layout": "events"}, "no view scores events of system; expected events of trades"),
    ],
)
def test_a_kind_of_set_that_cannot_be_scored_is_refused(
    tmp_path: Path, meta: dict[str, str], message: str
) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"stream": "system", **meta}))
    with refused(tmp_path, message):
        Dataset.open(tmp_path)


def test_a_label_that_says_no_is_no_anomaly(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"stream": "access", "layout": "rows"}')
    (tmp_path / "labels.csv").write_text("row,anomaly\n3,1\n4,0\n")
    assert Dataset.open(tmp_path).labels()["row"].to_list() == [3]
