"""A backfill: each window once, no row lost, whatever the files are like."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.catalogue import STREAMS, VIEWS
from features.silence import batch_windows
from features.trading import SYMBOL_1M, SYMBOL_5S, TRADES
from pipeline.backfill import Filled, Kept, backfill
from pipeline.files import InputError
from pipeline.lake import Lake
from pipeline.lake.schema import ASIDE
from tests.streams import AFTER, made_up, write_events

VIEW = SYMBOL_5S


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def inside(lake: Lake, view: str = VIEW.name) -> pl.DataFrame:
    return lake.windows(view).select(*VIEWS[view].schema)


@pytest.mark.parametrize("name", ["access", "orders", "trades"])
def test_every_format_and_batch_gives_the_windows_of_the_history(
    tmp_path: Path, lake: Lake, name: str
) -> None:
    write_events(tmp_path / "events", dict.fromkeys(["access", "orders", "trades"], 300))
    view = next(view for view in VIEWS.values() if view.stream.name == name)
    wanted = batch_windows(view, made_up(STREAMS[name], 300))
    for batch in (7, 100_000):
        filled = backfill(view, [tmp_path / "events" / name], lake, now=AFTER, batch=batch)
        assert filled.accepted == filled.given == 300
        assert filled.kept.added + filled.kept.there == len(wanted)
    assert filled.kept == Kept(there=len(wanted))
    assert_frame_equal(inside(lake, view.name), wanted, rel_tol=1e-9, abs_tol=1e-9)


def test_files_of_one_market_each_are_merged_by_time(tmp_path: Path, lake: Lake) -> None:
    rows = made_up(TRADES, 600)
    for symbol, of in rows.partition_by("symbol", as_dict=True).items():
        of.write_parquet(tmp_path / f"{symbol[0]}.parquet", row_group_size=50)
    paths = sorted(tmp_path.glob("*.parquet"))
    filled = backfill(VIEW, paths, lake, now=AFTER, batch=100)
    assert len(paths) == 3
    assert filled.late == 0
    assert_frame_equal(inside(lake), batch_windows(VIEW, rows), rel_tol=1e-9, abs_tol=1e-9)


def test_every_row_is_accepted_refused_late_or_from_the_future(tmp_path: Path, lake: Lake) -> None:
    rows = made_up(TRADES, 200)
    late = rows[:3].with_columns(id=pl.col("id") + 1_000)
    spoilt = rows.with_columns(price=pl.when(pl.col("id") == 7).then(-1.0).otherwise("price"))
    lines = spoilt[:150].write_ndjson() + "oops\n" + late.write_ndjson() + rows[150:].write_ndjson()
    (tmp_path / "e.jsonl").write_text(lines)
    now = rows["ts"][180] - timedelta(seconds=10)
    ahead = (rows["ts"] > now + timedelta(seconds=10)).sum()
    filled = backfill(VIEW, [tmp_path / "e.jsonl"], lake, now=now)
    assert filled == Filled(204, refused=2, late=3, future=ahead, kept=filled.kept)
    assert ahead > 0
    assert inside(lake)["count"].sum() == filled.accepted
    away = lake.scan(f"{ASIDE}trades").collect()
    kinds = dict(away.group_by("kind").len().rows())
    assert kinds == {"refused": 2, "late": 3, "future": ahead}
    assert filled.text().startswith(f"204 rows: {filled.accepted} accepted, 2 refused, 3 late, ")


def test_a_second_run_adds_nothing_at_all(tmp_path: Path, lake: Lake) -> None:
    rows = made_up(TRADES, 100)
    text = "oops\n" + rows[:90].write_ndjson() + rows[:1].write_ndjson() + rows[90:].write_ndjson()
    (tmp_path / "e.jsonl").write_text(text)
    first = backfill(VIEW, [tmp_path / "e.jsonl"], lake, now=AFTER, batch=10)
    before = {table: lake.version(table) for table in lake.tables()}
    again = backfill(VIEW, [tmp_path / "e.jsonl"], lake, now=AFTER, batch=10)
    assert {table: lake.version(table) for table in lake.tables()} == before
    assert again.kept == Kept(there=first.kept.added)
    assert again.refused == first.refused == 1
    # What is refused is refused for every view of the stream; it is put aside once.
    backfill(SYMBOL_1M, [tmp_path / "e.jsonl"], lake, now=AFTER, batch=10)
    kinds = lake.scan(f"{ASIDE}trades").collect()["kind"].value_counts()
    assert dict(kinds.rows())["refused"] == 1


def test_a_backfill_that_was_broken_off_is_completed_by_the_next(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = made_up(TRADES, 300)
    rows.write_parquet(tmp_path / "e.parquet")
    monkeypatch.setattr("pipeline.backfill.local.BATCH", 40)
    put, appended = lake.append, []

    def full(*given: object) -> bool:
        appended.append(given)
        if len(appended) == 4:
            raise OSError("no space left on device")
        return put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(lake, "append", full)
    with pytest.raises(OSError, match="no space left"):
        backfill(VIEW, [tmp_path / "e.parquet"], lake, now=AFTER, batch=20)
    wanted = batch_windows(VIEW, rows)
    done = len(inside(lake))
    assert 0 < done < len(wanted)
    filled = backfill(VIEW, [tmp_path / "e.parquet"], lake, now=AFTER, batch=20)
    assert filled.kept == Kept(added=len(wanted) - done, there=done)
    assert_frame_equal(inside(lake), wanted, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (["gone.csv"], "gone.csv: no such file"),
        (["a.txt"], "unknown kind of file; expected .parquet, .csv, .jsonl, .ndjson"),
        (["good.jsonl", "good.jsonl"], "is there twice"),
        (["empty"], "no rows; expected events of trades"),
        (["bad.jsonl"], "none of the first rows is an event of trades: not a JSON object"),
        (["cut.parquet"], "none of the first rows is an event of trades: damaged file"),
    ],
)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    tmp_path: Path, lake: Lake, names: list[str], complaint: str
) -> None:
    made_up(TRADES, 5).write_ndjson(tmp_path / "good.jsonl")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jsonl").write_text("oops\n")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=complaint):
        backfill(VIEW, [tmp_path / name for name in names], lake, now=AFTER)
    assert lake.tables() == []
