"""The lake takes windows whole and once, gives them back exactly, and refuses the rest."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import pipeline.lake.lake
from pipeline.lake import Lake, LakeError
from tests.pipeline.lake.keeping import DAY, SCHEMA, VIEW, windows


def parquet(lake: Lake, below: str = "") -> list[Path]:
    return sorted((lake.root / "windows" / VIEW / below).rglob("*.parquet"))


TIMES = st.datetimes(datetime(1999, 12, 31), datetime(2100, 1, 2), timezones=st.just(UTC))
# Few instants, so that entities share them, around a midnight; and any.
KEY = st.tuples(
    st.sampled_from(["BTC", "ETH", "ÄÖ 'x'"]),
    st.sampled_from([DAY + timedelta(microseconds=step) for step in (-1, 0, 1)]) | TIMES,
)
VALUE = st.none() | st.floats()


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    keys = draw(st.lists(KEY, min_size=1, max_size=12, unique=True))
    rows = [(e, t, t + timedelta(microseconds=1), draw(VALUE), draw(VALUE)) for e, t in keys]
    return pl.DataFrame(rows, SCHEMA, orient="row")


@settings(max_examples=15, deadline=None)
@given(frames(), st.data())
def test_any_split_into_appends_reads_as_one_append_in_order(
    frame: pl.DataFrame, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(frame)))
    with TemporaryDirectory() as folder:
        lake = Lake(folder, compact_every=2)
        lake.append(VIEW, frame[cut:])
        lake.append(VIEW, frame[:cut])
        assert_frame_equal(lake.windows(VIEW), frame.sort("start", "entity"), check_exact=True)


@settings(max_examples=15, deadline=None)
@given(frames(), st.data())
def test_a_read_is_a_filter_half_open_in_time(frame: pl.DataFrame, data: st.DataObject) -> None:
    since, until = (data.draw(st.none() | st.sampled_from(frame["start"].to_list())) for _ in "ab")
    entities = data.draw(st.none() | st.lists(st.sampled_from(["BTC", "ETH", "none"])))
    wanted = frame.sort("start", "entity")
    wanted = wanted if since is None else wanted.filter(pl.col("start") >= since)
    wanted = wanted if until is None else wanted.filter(pl.col("start") < until)
    wanted = wanted if entities is None else wanted.filter(pl.col("entity").is_in(entities))
    with TemporaryDirectory() as folder:
        lake = Lake(folder)
        lake.append(VIEW, frame)
        zone = timezone(timedelta(hours=-9))
        since, until = since and since.astimezone(zone), until and until.astimezone(zone)
        assert_frame_equal(lake.windows(VIEW, since, until, entities), wanted, check_exact=True)


def test_windows_of_one_instant_are_in_the_order_of_their_entities(lake: Lake) -> None:
    for at, entity in ((0, "BTC"), (0, "ETH"), (1, "ETH"), (1, "BTC")):
        lake.append(VIEW, windows(1, entity=entity, at=at))
    assert lake.windows(VIEW)["entity"].to_list() == ["BTC", "ETH"] * 2


def test_types_come_back_exactly_also_in_pandas(lake: Lake) -> None:
    lake.append(VIEW, windows())
    found = lake.windows(VIEW)
    assert found.schema == pl.Schema(SCHEMA)
    assert lake.scan(VIEW).collect_schema() == found.schema
    assert str(found.to_pandas()["start"].dtype) == "datetime64[us, UTC]"


def test_files_of_other_dates_are_not_opened(lake: Lake) -> None:
    for day in range(3):
        lake.append(VIEW, windows(day=day))
    for day in (1, 3):
        for file in parquet(lake, f"date=2024-05-0{day}"):
            file.unlink()
    second = DAY + timedelta(days=1)
    assert_frame_equal(lake.windows(VIEW, second, second + timedelta(days=1)), windows(day=1))
    with pytest.raises(LakeError, match=r"file date=2024-05-03/\S+ has 0 bytes; expected \d+"):
        lake.windows(VIEW, second, second + timedelta(days=1, microseconds=1))


def test_columns_are_chosen_beside_the_keys(lake: Lake) -> None:
    lake.append(VIEW, windows())
    assert lake.windows(VIEW, columns=["count"]).columns == ["entity", "start", "end", "count"]
    assert lake.windows(VIEW, columns=[]).columns == ["entity", "start", "end"]


def test_a_committed_transaction_is_not_written_again(lake: Lake) -> None:
    first, second = windows(), windows(at=4)
    assert lake.append(VIEW, first, ("loop", 0))
    assert not lake.append(VIEW, first, ("loop", 0))
    assert lake.append(VIEW, second, ("loop", 7))
    assert not lake.append(VIEW, second, ("loop", 7))
    assert not lake.append(VIEW, second, ("loop", 6))
    assert lake.append(VIEW, windows(entity="ETH"), ("other", 0))
    assert_frame_equal(lake.windows(VIEW, entities=["BTC"]), pl.concat([first, second]))


def test_a_transaction_is_remembered_through_compaction_and_retention(lake: Lake) -> None:
    lake.append(VIEW, windows(), ("loop", 3))
    lake.retain(VIEW, 1, DAY + timedelta(days=9))
    lake.compact(VIEW)
    lake.vacuum(VIEW, timedelta(0))
    assert not lake.append(VIEW, windows(), ("loop", 3))
    assert lake.windows(VIEW).is_empty()


def test_an_empty_append_commits_its_transaction(lake: Lake) -> None:
    assert lake.append(VIEW, windows(0), ("loop", 1))
    assert not lake.append(VIEW, windows(), ("loop", 1))
    assert_frame_equal(lake.windows(VIEW), windows(0))


@pytest.mark.parametrize("rival", ["same transaction", "new column"])
def test_a_rival_between_check_and_write_changes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, rival: str
) -> None:
    lake.append(VIEW, windows(0))
    theirs = windows().with_columns(spread=0.5) if rival == "new column" else windows()
    transaction = ("other", 1) if rival == "new column" else ("loop", 1)

    def beaten(*arguments: object, **options: object) -> None:
        monkeypatch.setattr(pipeline.lake.lake, "write_deltalake", write_deltalake)
        assert Lake(lake.root).append(VIEW, theirs, transaction)
        write_deltalake(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(pipeline.lake.lake, "write_deltalake", beaten)
    ours = windows(at=4)
    assert lake.append(VIEW, ours, ("loop", 1)) is (rival == "new column")
    expected = [theirs, ours] if rival == "new column" else [theirs]
    assert_frame_equal(lake.windows(VIEW), pl.concat(expected, how="diagonal"))


def test_a_new_column_is_null_before_and_a_missing_one_null_after(lake: Lake) -> None:
    old, new = windows(), windows(at=4).drop("vwap").with_columns(spread=0.5)
    lake.append(VIEW, old)
    lake.append(VIEW, new)
    wanted = pl.concat([old, new], how="diagonal").select(*SCHEMA, "spread")
    assert_frame_equal(lake.windows(VIEW), wanted)
    assert_frame_equal(lake.windows(VIEW, version=1), old)
    lake.compact(VIEW)
    assert_frame_equal(lake.windows(VIEW), wanted)


def test_a_table_is_compacted_by_itself_and_stays_the_same(tmp_path: Path) -> None:
    lake = Lake(tmp_path, compact_every=5)
    for i in range(5):
        lake.append(VIEW, windows(1, at=i))
    assert lake.history(VIEW)["operation"].to_list() == ["OPTIMIZE", *["WRITE"] * 5, "CREATE TABLE"]
    assert list((tmp_path / "windows" / VIEW / "_delta_log").glob("*6.checkpoint*.parquet"))
    before, after = lake.windows(VIEW, version=5), lake.windows(VIEW)
    assert len(parquet(lake, "date=2024-05-01")) == 6
    assert lake.vacuum(VIEW, timedelta(0)) == 5
    assert_frame_equal(before, after)
    assert_frame_equal(lake.windows(VIEW), after)


def test_compaction_drops_the_log_that_is_older_than_the_history(lake: Lake) -> None:
    for i in range(4):
        lake.append(VIEW, windows(1, at=i))
    log = lake.root / "windows" / VIEW / "_delta_log"
    for entry in log.glob("*.json"):
        os.utime(entry, (0, 0))
    lake.compact(VIEW)
    assert len(list(log.glob("*.json"))) <= 1
    assert len(lake.history(VIEW)) <= 1
    assert_frame_equal(lake.windows(VIEW), windows())
    assert lake.append(VIEW, windows(at=4))


def test_a_crowd_of_maintainers_and_writers_changes_no_row(tmp_path: Path) -> None:
    lake, days = Lake(tmp_path, compact_every=1), 4
    now = DAY + timedelta(days=30)

    def work(i: int) -> int:
        Lake(tmp_path, compact_every=1).append(VIEW, windows(day=i % days, at=4 * i))
        return lake.retain(VIEW, 30, now)

    with ThreadPoolExecutor(4) as crowd:
        assert sum(crowd.map(work, range(16))) == 0
    wanted = pl.concat(windows(day=i % days, at=4 * i) for i in range(16))
    assert_frame_equal(lake.windows(VIEW), wanted.sort("start", "entity"))
    operations = lake.history(VIEW)["operation"].to_list()
    assert operations.count("CREATE TABLE") == 1
    assert "OPTIMIZE" in operations


def test_a_vacuum_removes_what_a_killed_writer_left_once_it_is_old(lake: Lake) -> None:
    lake.append(VIEW, windows())
    left = parquet(lake)[0].with_name("part-left.parquet")
    left.write_bytes(b"half a file")
    assert lake.vacuum(VIEW, timedelta(hours=1)) == 0
    os.utime(left, (0, 0))
    assert lake.vacuum(VIEW, timedelta(hours=1)) == 1
    assert_frame_equal(lake.windows(VIEW), windows())


def test_time_travel_lasts_until_the_vacuum(lake: Lake) -> None:
    first = windows()
    lake.append(VIEW, first)
    version = lake.version(VIEW)
    lake.append(VIEW, windows(at=4))
    lake.compact(VIEW)
    lake.vacuum(VIEW, timedelta(hours=1))
    assert_frame_equal(lake.windows(VIEW, version=version), first)
    lake.vacuum(VIEW, timedelta(0))
    with pytest.raises(LakeError, match="has 0 bytes; expected"):
        lake.windows(VIEW, version=version)
    assert len(lake.windows(VIEW)) == 8


def test_retention_deletes_what_began_before_the_cutoff_exactly(lake: Lake) -> None:
    for day in range(3):
        lake.append(VIEW, windows(day=day))
    now = DAY + timedelta(days=31, seconds=5)
    assert lake.retain(VIEW, 30, now.astimezone(timezone(timedelta(hours=9)))) == 4 + 1
    assert lake.windows(VIEW)["start"].min() == now - timedelta(days=30)
    assert len(lake.windows(VIEW)) == 3 + 4
    version = lake.version(VIEW)
    assert lake.retain(VIEW, 30, now) == 0
    assert lake.version(VIEW) == version


def test_scores_live_beside_windows_with_wider_types(lake: Lake) -> None:
    scores = (
        windows()
        .select("entity", "start", "end", p=0.5, warm=True, rank=1, model=pl.lit("forest"))
        .cast({"rank": pl.Int64})
    )
    lake.append(VIEW, windows())
    lake.append(f"scores/{VIEW}", scores)
    assert lake.tables() == [VIEW, f"scores/{VIEW}"]
    assert lake.views() == [VIEW]
    assert_frame_equal(lake.windows(f"scores/{VIEW}"), scores)


def test_a_lake_that_is_not_there_has_no_views(lake: Lake) -> None:
    assert lake.views() == []
    assert not lake.root.exists()


def test_statistics_are_kept_of_keys_only_so_that_the_log_stays_small(lake: Lake) -> None:
    lake.append(VIEW, windows())
    entry = (lake.root / "windows" / VIEW / "_delta_log" / f"{1:020}.json").read_text()
    (stats,) = [
        json.loads(a["add"]["stats"]) for a in map(json.loads, entry.splitlines()) if "add" in a
    ]
    assert stats["minValues"].keys() == {"entity", "start", "end"}


def test_a_file_is_in_order_so_that_a_read_can_skip_within_it(lake: Lake) -> None:
    lake.append(VIEW, windows(8)[::-1])
    (file,) = parquet(lake)
    assert pl.read_parquet(file, hive_partitioning=False)["start"].is_sorted()
