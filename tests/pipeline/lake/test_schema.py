"""What the lake refuses, and how it names what is damaged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake
from polars.testing import assert_frame_equal

from pipeline.lake import Lake, LakeError
from tests.pipeline.lake.keeping import DAY, VIEW, windows

F = windows()
REFUSED = {
    "column start is Datetime\\(time_unit='us', time_zone=None\\); expected Datetime\\(.*'UTC'": (
        F.with_columns(pl.col("start").dt.replace_time_zone(None))
    ),
    "column end is Datetime\\(time_unit='ms'.*; expected": F.cast(
        {"end": pl.Datetime("ms", "UTC")}
    ),
    "column entity is None; expected String": F.drop("entity"),
    "column entity has 4 nulls": F.with_columns(entity=pl.lit(None, pl.String)),
    "column count is Int64; expected Float64": F.with_columns(count=pl.lit(1, pl.Int64)),
    "column warm is Boolean; expected Float64$": F.with_columns(warm=True),
    "column 'date'; expected": F.with_columns(date=1.0),
    "column 'Vwap'; expected": F.with_columns(Vwap=1.0),
    "window of BTC from .*00:00:05\\+00:00 to .* is there twice": pl.concat([F, F[1:2]]),
    "window of BTC from .* ends before it has begun": F.with_columns(end=pl.col("start")),
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_bad_frame_is_refused_and_nothing_is_written(lake: Lake, message: str) -> None:
    with pytest.raises(LakeError, match=f"^{re.escape(VIEW)}: .*{message}"):
        lake.append(VIEW, REFUSED[message])
    assert not lake.root.exists()


def test_a_column_that_changes_its_type_is_refused(lake: Lake) -> None:
    table = f"scores/{VIEW}"
    lake.append(table, windows())
    with pytest.raises(LakeError, match=f"^{table}: column vwap is Boolean; expected Float64$"):
        lake.append(table, windows(at=4).with_columns(vwap=True))
    assert_frame_equal(lake.windows(table), windows())


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "scores/../x", "A", "a..b", ".a", "a\n"])
def test_a_name_cannot_lead_out_of_the_lake(lake: Lake, name: str) -> None:
    for use in (lake.windows, lake.compact, lambda view: lake.append(view, windows())):
        with pytest.raises(LakeError, match="no name of a table"):
            use(name)
    assert not lake.root.exists()


def test_a_wrong_question_says_what_is_expected(lake: Lake) -> None:
    lake.append(VIEW, windows())
    naive = DAY.replace(tzinfo=None)
    for message, ask in {
        f"nosuch is not in the lake .*, which has {VIEW}": lambda: lake.windows("nosuch"),
        "since = 2024-05-01 00:00:00: no time zone": lambda: lake.windows(VIEW, since=naive),
        "until = .*: no time zone": lambda: lake.windows(VIEW, until=naive),
        "now = .*: no time zone": lambda: lake.retain(VIEW, 30, naive),
        "days = 0; expected at least 1": lambda: lake.retain(VIEW, 0, DAY),
        "keep = -1 day": lambda: lake.vacuum(VIEW, timedelta(days=-1)),
        "no column 'x'; expected one of": lambda: lake.windows(VIEW, columns=["x"]),
        "no version 2; expected 0 to 1": lambda: lake.windows(VIEW, version=2),
        "entities = 'BTC'; expected a list": lambda: lake.windows(VIEW, entities="BTC"),
    }.items():
        with pytest.raises(LakeError, match=message):
            ask()


def test_a_root_that_cannot_be_a_lake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "a%20b", "s3://bucket/lake"):
        with pytest.raises(LakeError, match="expected a"):
            Lake(root)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scramble(file: Path) -> None:
    file.write_bytes(b"\xff" * file.stat().st_size)


@pytest.mark.parametrize("harm", [cut, scramble, Path.unlink])
@pytest.mark.parametrize("victim", ["date=2024-05-01/*.parquet", "_delta_log/*1.json"])
def test_a_damaged_table_is_named_in_one_line(
    lake: Lake, capfd: pytest.CaptureFixture[str], harm: Callable[[Path], object], victim: str
) -> None:
    lake.append(VIEW, windows())
    lake.append(VIEW, windows(at=4))
    harm(next((lake.root / "windows" / VIEW).glob(victim)))
    with pytest.raises(LakeError) as caught:
        lake.windows(VIEW)
    assert str(caught.value).startswith(VIEW)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert capfd.readouterr().err == ""


def test_data_whose_log_is_lost_is_not_covered_by_a_new_table(lake: Lake) -> None:
    lake.append(VIEW, windows())
    shutil.rmtree(lake.root / "windows" / VIEW / "_delta_log")
    for use in (lambda: lake.append(VIEW, windows()), lambda: lake.windows(VIEW)):
        with pytest.raises(LakeError, match="log"):
            use()


def test_a_delta_table_of_something_else_is_refused(lake: Lake) -> None:
    path = lake.root / "windows" / VIEW
    path.mkdir(parents=True)
    write_deltalake(path.as_uri(), windows())
    for use in (lambda: lake.append(VIEW, windows()), lambda: lake.windows(VIEW)):
        with pytest.raises(LakeError, match="not one of the lake"):
            use()


def test_a_table_with_rows_deleted_inside_its_files_is_refused(lake: Lake) -> None:
    lake.append(VIEW, windows())
    table = DeltaTable((lake.root / "windows" / VIEW).as_uri())
    table.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    with pytest.raises(LakeError, match="not one of the lake"):
        lake.windows(VIEW)
