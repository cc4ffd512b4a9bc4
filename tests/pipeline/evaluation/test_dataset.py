"""A data set is scored blind, and a folder that is none is refused."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.evaluation.dataset import COLUMNS, Dataset, score_dataset
from pipeline.files import InputError
from pipeline.scoring.scorer import STEP


@pytest.fixture(scope="module")
def windows(pump_set: Path, after: datetime) -> pl.DataFrame:
    return Dataset.open(pump_set).windows(now=after)


@pytest.fixture(scope="module")
def scores(pump_set: Path, windows: pl.DataFrame) -> pl.DataFrame:
    return score_dataset(Dataset.open(pump_set), windows, seed=0)


def test_the_columns_of_the_layout_come_first_in_order() -> None:
    assert COLUMNS == ["entity", "start", "end", "score", "p", "per_day", "warm"]


def test_every_window_is_scored_once(windows: pl.DataFrame, scores: pl.DataFrame) -> None:
    key = ["entity", "start", "end"]
    assert_frame_equal(scores.select(key), windows.select(key))
    assert scores.columns[: len(COLUMNS)] == COLUMNS
    assert scores.select(COLUMNS).null_count().sum_horizontal().item() == 0
    assert len(windows) > 2 * STEP


def test_the_planted_pump_is_the_rarest(pump_set: Path, scores: pl.DataFrame) -> None:
    (pump,) = Dataset.open(pump_set).labels().iter_rows(named=True)
    rarest = scores.sort("score", descending=True).row(0, named=True)
    assert rarest["entity"] == pump["entity"]
    assert 0 <= (rarest["end"] - pump["start"]).total_seconds() <= 180
    assert rarest["warm"]
    assert rarest["per_day"] < 0.1


def test_what_comes_later_changes_no_score(
    pump_set: Path, scores: pl.DataFrame, after: datetime, tmp_path: Path
) -> None:
    until = scores["start"][30_000]
    folder = tmp_path / "earlier"
    shutil.copytree(pump_set, folder)
    events = pl.read_parquet(folder / "events.parquet")
    events.filter(pl.col("ts") < until).write_parquet(folder / "events.parquet")
    dataset = Dataset.open(folder)
    windows = dataset.windows(now=after)
    assert 29_900 < len(windows) <= 30_000
    found = score_dataset(dataset, windows, seed=0)
    assert_frame_equal(found, scores[: len(found)], check_exact=True)


def test_labels_are_not_read(
    pump_set: Path, scores: pl.DataFrame, after: datetime, tmp_path: Path
) -> None:
    blind = tmp_path / "blind"
    shutil.copytree(pump_set, blind, ignore=shutil.ignore_patterns("labels.csv"))
    dataset = Dataset.open(blind)
    found = score_dataset(dataset, dataset.windows(now=after), seed=0)
    assert_frame_equal(found, scores, check_exact=True)


def test_the_share_done_is_told_up_to_all(pump_set: Path, windows: pl.DataFrame) -> None:
    told: list[float] = []
    score_dataset(Dataset.open(pump_set), windows[: STEP + 1], seed=0, progress=told.append)
    assert told == sorted(told)
    assert len(told) == 2
    assert told[-1] == 1.0


def test_labels_are_read_as_utc(pump_set: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(pump_set, folder)
    (folder / "labels.csv").write_text(
        "kind,entity,start,end\npump,A,2026-01-30T12:00:00+02:00,2026-01-30T10:01:00Z\n"
    )
    (label,) = Dataset.open(folder).labels().iter_rows()
    assert label[0] == "A"
    assert [at.isoformat() for at in label[1:]] == [
        "2026-01-30T10:00:00+00:00",
        "2026-01-30T10:01:00+00:00",
    ]


def test_the_name_is_the_folders(pump_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pump_set)
    assert Dataset.open(Path()).name == "made-up"


def one_line(error: pytest.ExceptionInfo[InputError], folder: Path) -> str:
    text = str(error.value)
    assert text.startswith(str(folder))
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (None, "no meta.json; expected a data set folder"),
        ("{", "expected JSON with stream and layout"),
        ("[]", "expected JSON with stream and layout"),
        ("3", "expected JSON with stream and layout"),
        (json.dumps({"stream": "trades"}), "expected JSON with stream and layout"),
        (json.dumps({"stream": "trades", "layout": "heaps"}), "layout heaps; expected one of"),
        (json.dumps({"stream": "orders", "layout": "events"}), "no view scores events of orders"),
    ],
)
def test_a_folder_that_is_no_data_set_is_refused(
    tmp_path: Path, meta: str | None, message: str
) -> None:
    if meta is not None:
        (tmp_path / "meta.json").write_text(meta)
    with pytest.raises(InputError) as error:
        Dataset.open(tmp_path)
    assert message in one_line(error, tmp_path)


def test_a_data_set_without_events_is_refused(tmp_path: Path, after: datetime) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"stream": "trades", "layout": "events"}))
    with pytest.raises(InputError) as error:
        Dataset.open(tmp_path).windows(now=after)
    assert "events.parquet: no such file" in one_line(error, tmp_path)


@pytest.mark.parametrize(
    "labels", [None, "", "entity,start\nA,2026-01-30T10:00:00Z\n", "entity,start,end\nA,noon,1\n"]
)
def test_labels_that_are_none_are_refused(tmp_path: Path, labels: str | None) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"stream": "trades", "layout": "events"}))
    if labels is not None:
        (tmp_path / "labels.csv").write_text(labels)
    with pytest.raises(InputError) as error:
        Dataset.open(tmp_path).labels()
    assert "expected labels with entity, start and end" in one_line(error, tmp_path)
