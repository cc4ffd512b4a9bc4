"""Windows enter the lake once; those that are there stay as they are, and what differs is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.silence import batch_windows
from features.trading import SYMBOL_5S, TRADES
from pipeline.backfill.keep import Kept, keep
from pipeline.lake import Lake
from tests.streams import made_up

VIEW = SYMBOL_5S
Windows = pl.DataFrame


@pytest.fixture(scope="module")
def windows() -> pl.DataFrame:
    return batch_windows(VIEW, made_up(TRADES, 300))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def inside(lake: Lake) -> pl.DataFrame:
    return lake.windows(VIEW.name).select(*VIEW.schema)


def test_windows_are_kept_once(lake: Lake, windows: Windows) -> None:
    n = len(windows)
    assert keep(lake, VIEW, windows[:50]) == Kept(added=50)
    assert keep(lake, VIEW, windows) == Kept(added=n - 50, there=50)
    assert keep(lake, VIEW, windows) == Kept(there=n)
    assert keep(lake, VIEW, windows[:0]) == Kept()
    assert_frame_equal(inside(lake), windows)


@pytest.mark.parametrize(
    "other",
    [
        lambda value: value + 1e-6,
        lambda value: pl.lit(None, pl.Float64),
        lambda value: pl.lit(float("inf")),
        lambda value: pl.lit(float("nan")),
    ],
)
def test_what_differs_is_said_and_the_lake_keeps_its_own(
    lake: Lake, windows: Windows, other: Callable[[pl.Expr], pl.Expr]
) -> None:
    row = windows["count"].arg_max()
    value = pl.col("volume")
    spoilt = windows.with_columns(
        pl.when(pl.int_range(pl.len()) == row).then(other(value)).otherwise(value).alias("volume")
    )
    keep(lake, VIEW, spoilt)
    kept = keep(lake, VIEW, windows)
    entity, start, volume = windows.select("entity", "start", "volume").row(row)
    assert (kept.added, kept.there, kept.differ) == (0, len(windows) - 1, 1)
    assert f"{entity} {start.isoformat()}: volume is {volume}, in the lake " in str(kept.difference)
    assert kept.text().endswith(str(kept.difference))
    assert_frame_equal(inside(lake), spoilt)


def test_the_last_digits_of_a_sum_are_no_difference(lake: Lake, windows: Windows) -> None:
    keep(lake, VIEW, windows.with_columns(pl.col(VIEW.names) * (1 + 1e-12)))
    assert keep(lake, VIEW, windows) == Kept(there=len(windows))


def test_a_feature_that_the_lake_has_not_got_yet_is_a_difference(
    lake: Lake, windows: Windows
) -> None:
    lake.append(VIEW.name, windows.drop("volume"))
    kept = keep(lake, VIEW, windows)
    assert kept.differ == windows["volume"].count()
    assert "volume is" in str(kept.difference)
    assert str(kept.difference).endswith("in the lake None")


def test_several_at_a_time_double_nothing(lake: Lake, windows: Windows) -> None:
    barrier, found = Barrier(4), []

    def run() -> None:
        barrier.wait()
        found.append(keep(lake, VIEW, windows))

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(kept.added for kept in found) == len(windows)
    assert sum(kept.there for kept in found) == 3 * len(windows)
    assert_frame_equal(inside(lake), windows)
