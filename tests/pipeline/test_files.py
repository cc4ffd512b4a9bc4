"""Files come in whole and checked, or with one line that says what is wrong and where."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.trading import TRADES
from pipeline.files import InputError, read_events

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": lambda frame, path: frame.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%.6f%:z"),
    ".jsonl": lambda frame, path: frame.with_columns(
        pl.col("ts").dt.to_string("iso:strict")
    ).write_ndjson(path),
}
WRITERS[".ndjson"] = WRITERS[".jsonl"]


def written(frame: pl.DataFrame, path: Path) -> Path:
    WRITERS[path.suffix](frame, path)
    return path


def events(paths: list[Path], now: datetime) -> pl.DataFrame:
    found, counts = read_events(TRADES, paths, now=now)
    assert not counts
    return found


def refusal(paths: list[Path], now: datetime) -> str:
    """The message of the refusal: one line that names the last file."""
    with pytest.raises(InputError) as error:
        read_events(TRADES, paths, now=now)
    text = str(error.value)
    assert "\n" not in text
    assert str(paths[-1]) in text
    return text


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".ndjson"])
def test_every_kind_of_file_gives_the_same_events(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime, ending: str
) -> None:
    path = written(few_trades, tmp_path / f"a{ending}")
    parquet = written(few_trades, tmp_path / "a.parquet")
    assert_frame_equal(events([path], after), events([parquet], after), check_exact=True)


def test_an_ending_in_capitals_is_known(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime
) -> None:
    path = written(few_trades, tmp_path / "a.csv").rename(tmp_path / "A.CSV")
    assert len(events([path], after)) == len(few_trades)


def test_several_files_equal_one(few_trades: pl.DataFrame, tmp_path: Path, after: datetime) -> None:
    whole = written(few_trades, tmp_path / "whole.parquet")
    parts = [
        written(few_trades[:100], tmp_path / "1.csv"),
        written(few_trades[100:101], tmp_path / "2.jsonl"),
        written(few_trades[101:], tmp_path / "3.parquet"),
    ]
    found = events(parts, after)
    assert_frame_equal(found, events([whole], after), check_exact=True)
    assert found["id"].to_list() == list(range(len(few_trades)))


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_an_empty_file_is_refused(tmp_path: Path, after: datetime, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.touch()
    assert refusal([path], after) == f"{path}: the file is empty"


@pytest.mark.parametrize("ending", [".parquet", ".csv"])
def test_a_file_without_rows_is_refused(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime, ending: str
) -> None:
    path = written(few_trades.clear(), tmp_path / f"a{ending}")
    assert refusal([path], after) == f"{path}: holds no rows"


@pytest.mark.parametrize("kept", [1, 4, 100, -8, -1])
def test_a_truncated_parquet_file_is_refused(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime, kept: int
) -> None:
    path = written(few_trades, tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:kept])
    assert "not a readable parquet file" in refusal([path], after)


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_bytes_of_no_kind_are_refused(tmp_path: Path, after: datetime, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(bytes(range(256)) * 20)
    refusal([path], after)


def test_a_missing_file_is_refused(tmp_path: Path, after: datetime) -> None:
    path = tmp_path / "none.parquet"
    assert refusal([path], after) == f"{path}: no such file"


def test_a_folder_is_no_file(tmp_path: Path, after: datetime) -> None:
    path = tmp_path / "a.parquet"
    path.mkdir()
    assert refusal([path], after) == f"{path}: no such file"


def test_an_unknown_ending_is_refused_with_those_known(tmp_path: Path, after: datetime) -> None:
    path = tmp_path / "a.xlsx"
    path.write_text("x")
    text = refusal([path], after)
    assert "expected .parquet, .csv, .jsonl, .ndjson" in text


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl"])
def test_a_missing_column_is_named(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime, ending: str
) -> None:
    path = written(few_trades.drop("price"), tmp_path / f"a{ending}")
    text = refusal([path], after)
    assert "stream trades: column price is missing; found ts, symbol, qty, side" in text


def test_a_file_of_another_stream_is_refused(tmp_path: Path, after: datetime) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ts,host,cpu\n2026-01-30T00:00:00Z,web-1,12.5\n")
    text = refusal([path], after)
    assert "column symbol is missing; found ts, host, cpu" in text
    assert text.endswith("it looks like host")


BAD = [
    ("price", float("nan"), "price = nan; expected a finite number > 0", [".parquet"]),
    ("price", "nan", "price = 'nan'; expected a finite number > 0", [".csv"]),
    ("price", "a lot", "price = 'a lot'; expected a finite number > 0", [".csv"]),
    ("price", -1.0, "price = -1.0; expected a finite number > 0", [".parquet", ".jsonl"]),
    ("qty", None, "qty = None; expected a finite number > 0", [".parquet", ".jsonl"]),
    ("side", "hold", "side = 'hold'; expected one of buy, sell", [".parquet", ".csv", ".jsonl"]),
    ("symbol", None, "symbol = None; expected a text", [".parquet", ".csv", ".jsonl"]),
]


@pytest.mark.parametrize(
    ("column", "value", "message", "ending"),
    [(column, value, message, e) for column, value, message, ends in BAD for e in ends],
)
def test_a_bad_value_is_told_with_file_row_column_value_and_expected(
    few_trades: pl.DataFrame,
    tmp_path: Path,
    after: datetime,
    column: str,
    value: object,
    message: str,
    ending: str,
) -> None:
    type_ = pl.String if isinstance(value, str) else few_trades.schema[column]
    here = pl.int_range(pl.len()) == 17
    bad = few_trades.with_columns(
        pl.when(here).then(pl.lit(value, dtype=type_)).otherwise(pl.col(column)).alias(column)
    )
    good = written(few_trades, tmp_path / "good.parquet")
    path = written(bad, tmp_path / f"bad{ending}")
    text = refusal([good, path], after)
    assert text.startswith(f"{path}: stream trades: row 17: ")
    assert text.endswith(message)


def test_refused_rows_are_put_aside_with_file_row_reason_and_value(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime
) -> None:
    here = pl.int_range(pl.len())
    paths = [
        written(few_trades, tmp_path / "good.parquet"),
        written(
            few_trades.with_columns(
                pl.when(here == 3).then(float("nan")).otherwise("price").alias("price")
            ),
            tmp_path / "nan.parquet",
        ),
        written(
            few_trades.with_columns(
                pl.when(here < 2).then(pl.lit("hold")).otherwise("side").alias("side")
            ),
            tmp_path / "hold.csv",
        ),
    ]
    found, counts = read_events(TRADES, paths, now=after, refused_to=tmp_path / "r.parquet")
    assert counts == {"non_finite": 1, "unknown_value": 2}
    assert len(found) == 3 * len(few_trades) - 3
    assert found["id"].is_unique().all()
    refused = pl.read_parquet(tmp_path / "r.parquet")
    assert refused.select("file", "row", "reason", "column").rows() == [
        (str(paths[1]), "3", "non_finite", "price"),
        (str(paths[2]), "0", "unknown_value", "side"),
        (str(paths[2]), "1", "unknown_value", "side"),
    ]
    assert refused["side"][1:].to_list() == ["hold", "hold"]


def test_without_refused_rows_no_file_of_them_is_written(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime
) -> None:
    path = written(few_trades, tmp_path / "a.parquet")
    read_events(TRADES, [path], now=after, refused_to=tmp_path / "r.parquet")
    assert list(tmp_path.iterdir()) == [path]


def test_a_refused_row_keeps_columns_that_have_no_text(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime
) -> None:
    odd = few_trades[:2].with_columns(
        pl.Series("price", [1.0, -1.0]),
        pl.Series("tags", [["a"], ["b", "c"]]),
        pl.Series("raw", [b"\xff", b"\xfe"]),
    )
    path = written(odd, tmp_path / "a.parquet")
    read_events(TRADES, [path], now=after, refused_to=tmp_path / "r.parquet")
    refused = pl.read_parquet(tmp_path / "r.parquet").row(0, named=True)
    assert (refused["row"], refused["tags"], refused["raw"]) == ("1", ["b", "c"], b"\xfe")


def test_a_file_that_cannot_be_used_leaves_no_refused_rows_behind(
    few_trades: pl.DataFrame, tmp_path: Path, after: datetime
) -> None:
    bad = written(few_trades.with_columns(pl.lit(-1.0).alias("qty")), tmp_path / "a.parquet")
    with pytest.raises(InputError, match="no such file"):
        read_events(
            TRADES, [bad, tmp_path / "none.csv"], now=after, refused_to=tmp_path / "r.parquet"
        )
    assert list(tmp_path.iterdir()) == [bad]


def test_an_event_in_two_files_is_refused_once(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "ts": ["2026-01-01T00:00:00Z"],
            "symbol": ["ETHBTC"],
            "id": [7],
            "price": [1.0],
            "qty": [1.0],
            "side": ["buy"],
        }
    )
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in paths:
        frame.write_csv(path)
    now = datetime(2026, 1, 2, tzinfo=UTC)
    with pytest.raises(InputError, match="ETHBTC 7 is in more than one file"):
        read_events(TRADES, paths, now=now)
    aside = tmp_path / "refused.parquet"
    events, counts = read_events(TRADES, paths, now=now, refused_to=aside)
    assert (len(events), dict(counts)) == (1, {"duplicate_id": 1})
    assert pl.read_parquet(aside)["reason"].to_list() == ["duplicate_id"]
