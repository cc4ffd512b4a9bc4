"""Windows of an incident are left out, of its entity and its time alone."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.files import InputError
from pipeline.lifecycle.incidents import INCIDENT, no_incidents, read_incidents, without
from tests.pipeline.lifecycle.retraining import NOON, VIEW, made_up


def incident(entity: str, first: float, last: float) -> pl.DataFrame:
    times = [NOON + first * VIEW.every, NOON + last * VIEW.every]
    return pl.DataFrame([[entity, *times]], schema=INCIDENT, orient="row")


@pytest.mark.parametrize(
    ("first", "last", "gone"),
    [
        (2, 4, [2, 3]),
        (2.5, 3.5, [2, 3]),
        (2, 2.1, [2]),
        (-9, 1, [0]),
        (1.5, 1.5, [1]),
        (9, 99, [9]),
    ],
)
def test_a_window_that_overlaps_an_incident_of_its_entity_is_left_out(
    first: float, last: float, gone: list[int]
) -> None:
    windows = made_up(0, 30)
    lost = pl.col("start").is_in([NOON + turn * VIEW.every for turn in gone])
    kept = windows.filter(~((pl.col("entity") == "B") & lost))
    assert_frame_equal(without(windows, incident("B", first, last)), kept)


def test_without_incidents_all_windows_are_kept() -> None:
    windows = made_up(0, 30)
    assert_frame_equal(without(windows, no_incidents()), windows)
    both = pl.concat([incident("A", 0, 99), incident("A", 2, 99)])
    assert without(windows, both)["entity"].unique().sort().to_list() == ["B", "C"]


def test_incidents_are_read_as_utc(tmp_path: Path) -> None:
    path = tmp_path / "incidents.csv"
    path.write_text(
        "kind,entity,start,end\npump,B,2026-01-31T14:00:00+02:00,2026-01-31T12:00:10+00:00\n"
    )
    expected = incident("B", 0, timedelta(seconds=10) / VIEW.every)
    assert_frame_equal(read_incidents(path), expected)


@pytest.mark.parametrize(
    "text", ["", "entity,start\nB,2026-01-31\n", "entity,start,end\nB,soon,1\n"]
)
def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "incidents.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"incidents\.csv: expected incidents"):
        read_incidents(path)
