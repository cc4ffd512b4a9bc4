"""The border: what is given is accepted or refused, and every refusal has its reason."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pyarrow as pa
import pytest

from features.refusal import StreamError
from features.stream import EARLIEST, TIME, Column, Stream, Validated
from features.trading import TRADES

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD = {"ts": NOW, "symbol": "ETHBTC", "id": 7, "price": 2.5, "qty": 3.0, "side": "buy"}


def rows(*changes: dict[str, object]) -> pl.DataFrame:
    """Good trades with ids 0, 1, 2 and so on, but for the changes."""
    return pl.DataFrame([GOOD | {"id": i} | change for i, change in enumerate(changes)])


def validate(frame: pl.DataFrame) -> Validated:
    return TRADES.validate(frame, now=NOW)


REASONS = {
    "null": ({"price": None}, "price = None; expected a finite number > 0"),
    "wrong_type": ({"price": "cheap"}, "price = 'cheap'; expected a finite number > 0"),
    "unknown_value": ({"side": "hold"}, "side = 'hold'; expected one of buy, sell"),
    "non_finite": ({"qty": math.inf}, "qty = inf; expected a finite number > 0"),
    "out_of_range": ({"price": -1.0}, "price = -1.0; expected a finite number > 0"),
    "absurd_time": (
        {"ts": datetime(2008, 12, 31, tzinfo=UTC)},
        "ts = datetime.datetime(2008, 12, 31, 0, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC')); "
        "expected a UTC time from 2009-01-03 on and not in the future",
    ),
    "duplicate_id": ({"id": 0}, "id = 0; expected a whole number"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_is_counted_kept_and_told_in_one_line(reason: str) -> None:
    broken, told = REASONS[reason]
    (column,) = broken
    as_text = {"price": pl.String} if reason == "wrong_type" else {}
    good = rows({}, {}, {}).cast(as_text)
    given = pl.concat([good[:1], pl.DataFrame([GOOD | {"id": 1} | broken]), good[2:]])

    validated = validate(given)

    assert validated.events["id"].to_list() == [0, 2]
    assert validated.refused.counts == {reason: 1}
    kept = validated.refused.rows.row(0, named=True)
    assert (kept["row"], kept["reason"], kept["column"]) == (1, reason, column)
    assert kept[column] == broken[column]
    assert validated.refused.first == f"stream trades: row 1: {reason.replace('_', ' ')}: {told}"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["price", "qty"])
def test_what_is_not_finite_is_refused_as_such(column: str, value: float) -> None:
    assert validate(rows({column: value})).refused.counts == {"non_finite": 1}


@pytest.mark.parametrize("column", ["ts", "symbol", "id", "price", "qty", "side"])
def test_a_required_column_needs_every_value(column: str) -> None:
    refused = validate(rows({}, {column: None})).refused
    assert refused.counts == {"null": 1}
    assert refused.rows["column"].to_list() == [column]


def test_a_column_of_nulls_is_refused_row_by_row() -> None:
    frame = rows({}, {}).with_columns(ts=pl.lit(None))
    assert validate(frame).refused.counts == {"null": 2}


@pytest.mark.parametrize("column", ["buyer", "seller"])
def test_an_optional_column_may_be_null_or_absent(column: str) -> None:
    validated = validate(rows({}, {column: "ann"}))
    assert validated.events[column].to_list() == [None, "ann"]
    assert validate(rows({})).events[column].to_list() == [None]


def test_the_message_is_about_the_first_refused_row() -> None:
    refused = validate(rows({}, {"qty": -1.0}, {"price": -1.0})).refused
    assert refused.first.startswith("stream trades: row 1: out of range: qty = -1.0;")
    with pytest.raises(StreamError, match="row 1"):
        refused.raise_first()


def test_a_range_is_strict_above_and_holds_both_ends() -> None:
    stream = Stream(
        "shares",
        (
            Column("ts", TIME, "Time."),
            Column("id", pl.Int64(), "Id."),
            Column("share", pl.Float64(), "Share.", at_least=0, at_most=1, required=False),
            Column("size", pl.Int64(), "Size.", above=0, required=False),
        ),
        ("id",),
    )
    frame = pl.DataFrame(
        {
            "ts": [NOW] * 7,
            "share": [0.0, 1.0, -0.1, 1.1, None, None, None],
            "size": [None, None, None, None, 0, 1, -1],
        }
    )
    validated = stream.validate(frame, now=NOW)
    assert validated.refused.rows["row"].to_list() == [2, 3, 4, 6]
    assert validated.refused.counts == {"out_of_range": 4}
    assert validated.refused.first.endswith("share = -0.1; expected a finite number >= 0 and <= 1")


def test_time_is_absurd_before_bitcoin_and_more_than_a_day_ahead() -> None:
    day, tick = timedelta(days=1), timedelta(microseconds=1)
    frame = rows(
        {"ts": EARLIEST}, {"ts": EARLIEST - tick}, {"ts": NOW + day}, {"ts": NOW + day + tick}
    )
    refused = validate(frame).refused
    assert refused.rows["row"].to_list() == [1, 3]
    assert refused.counts == {"absurd_time": 2}


def test_the_first_of_two_equal_ids_is_the_event() -> None:
    validated = validate(rows({"id": 5, "qty": 1.0}, {"id": 3}, {"id": 5, "qty": 2.0}))
    assert validated.events["qty"].to_list() == [1.0, 3.0]
    assert validated.refused.counts == {"duplicate_id": 1}


def test_ids_are_unique_within_the_key_only() -> None:
    assert len(validate(rows({"id": 5}, {"id": 5, "symbol": "BNBBTC"})).refused) == 0


def test_a_refused_row_does_not_make_the_next_with_its_id_a_duplicate() -> None:
    validated = validate(rows({"id": 5, "price": -1.0}, {"id": 5}, {"id": 5}))
    assert validated.refused.rows["reason"].to_list() == ["out_of_range", "duplicate_id"]
    assert len(validated.events) == 1


def test_an_absent_id_is_the_position_in_the_source() -> None:
    frame = rows({}, {"price": -1.0}, {}).drop("id")
    assert TRADES.validate(frame, now=NOW, first_id=100).events["id"].to_list() == [100, 102]


def at(*seconds: float) -> pl.DataFrame:
    return rows(*({"ts": NOW + timedelta(seconds=s)} for s in seconds))


def test_rows_too_far_behind_the_latest_are_unsorted() -> None:
    validated = TRADES.validate(at(10, 9, 8.9, 11, 10), now=NOW, max_disorder=timedelta(seconds=1))
    assert validated.refused.counts == {"unsorted": 1}
    assert validated.refused.rows["row"].to_list() == [2]


def test_order_is_nobodys_business_unless_asked_for() -> None:
    assert len(validate(at(10, 0, -500)).refused) == 0


def test_a_refused_row_is_no_measure_of_order() -> None:
    frame = pl.concat([at(0), rows({"id": 1, "ts": datetime(2099, 1, 1, tzinfo=UTC)}), at(-1, 0)])
    validated = TRADES.validate(frame.drop("id"), now=NOW, max_disorder=timedelta(0))
    assert validated.refused.rows["reason"].to_list() == ["absurd_time", "unsorted"]


def test_a_missing_column_is_named_with_what_was_found() -> None:
    with pytest.raises(
        StreamError,
        match=r"stream trades: column price is missing; found ts, symbol, id, qty, side; expected",
    ):
        validate(rows({}).drop("price"))
    with pytest.raises(StreamError, match="column ts is missing; found no columns"):
        validate(pl.DataFrame())


@pytest.mark.parametrize(
    ("column", "values", "found"),
    [
        ("ts", pl.Series([datetime(2026, 1, 1)]), "Datetime"),
        ("ts", pl.Series([datetime(2026, 1, 1)]).dt.date(), "Date"),
        ("ts", pl.Series([1_767_225_600]), "Int64"),
        ("price", pl.Series([True]), "Boolean"),
        ("price", pl.Series([[1.0]]), "List"),
        ("symbol", pl.Series([1.5]), "Float64"),
        ("symbol", pl.Series([b"ETH"]), "Binary"),
        ("side", pl.Series([1]), "Int64"),
    ],
)
def test_a_type_that_cannot_hold_the_values_is_an_error_of_the_batch(
    column: str, values: pl.Series, found: str
) -> None:
    with pytest.raises(StreamError, match=f"stream trades: column {column} is {found}.*; expected"):
        validate(rows({}).with_columns(values.alias(column)))


@pytest.mark.parametrize("values", [["true"], [1], [0.5]])
def test_a_yes_or_no_is_not_guessed_from_words_or_numbers(values: list[object]) -> None:
    columns = (
        Column("ts", TIME, "Time."),
        Column("ok", pl.Boolean(), "Ok."),
        Column("id", pl.Int64(), "Id."),
    )
    with pytest.raises(StreamError, match=r"column ok is .*; expected Boolean"):
        Stream("flags", columns, ("id",)).validate(
            pl.DataFrame({"ts": [NOW], "ok": values}), now=NOW
        )


def test_a_time_as_text_needs_its_zone() -> None:
    texts = [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.123456+02:00",
        "2026-01-31T12:00:00",
        "yesterday",
    ]
    validated = validate(rows(*({"ts": text} for text in texts)))
    assert validated.events["ts"].to_list() == [
        NOW,
        NOW - timedelta(hours=2) + timedelta(microseconds=123_456),
    ]
    assert validated.refused.counts == {"wrong_type": 2}


def test_times_of_other_zones_and_units_become_utc_microseconds() -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    frame = rows({"ts": berlin}).with_columns(
        pl.col("ts").dt.convert_time_zone("Europe/Berlin").dt.cast_time_unit("ns")
    )
    assert validate(frame).events["ts"].to_list() == [NOW]


def test_numbers_are_read_from_text_and_whole_numbers_only_from_whole_ones() -> None:
    frame = rows({"price": "2.5"}, {"price": "1e3"}, {"price": "two"}, {"price": "nan"})
    frame = frame.with_columns(id=pl.Series([1.0, 2.0, 3.0, 4.0]))
    validated = validate(frame)
    assert validated.events.select("id", "price").rows() == [(1, 2.5), (2, 1000.0)]
    assert validated.refused.rows["reason"].to_list() == ["wrong_type", "non_finite"]
    ids = pl.Series([1.5, math.nan, math.inf, 1e300])
    halves = validate(rows({}, {}, {}, {}).with_columns(id=ids))
    assert halves.refused.counts == {"wrong_type": 4}


def test_words_may_come_as_categories() -> None:
    sides = pl.Series(["sell", "hold", "buy"], dtype=pl.Categorical)
    validated = validate(rows({}, {}, {}).with_columns(side=sides))
    assert validated.events["side"].to_list() == ["sell", "buy"]
    assert validated.refused.counts == {"unknown_value": 1}


def test_columns_the_stream_does_not_know_are_left_behind() -> None:
    events = validate(rows({"venue": "x"})).events
    assert events.columns == [c.name for c in TRADES.columns]


def test_an_arrow_table_is_read_as_a_frame_is() -> None:
    frame = rows({}, {"price": -1.0}, {"side": "hold"})
    validated = validate(frame.to_arrow())
    assert validated.events.equals(validate(frame).events)
    assert validated.refused.counts == validate(frame).refused.counts


def test_an_empty_batch_is_valid() -> None:
    for frame in (rows({}).clear(), pl.DataFrame(schema=[c.name for c in TRADES.columns])):
        validated = validate(frame)
        assert len(validated.events) == len(validated.refused) == 0
        assert validated.events.schema == {c.name: c.type for c in TRADES.columns}


def test_the_arrow_schema_says_what_may_be_null() -> None:
    schema = TRADES.schema
    assert schema.names == [c.name for c in TRADES.columns]
    assert schema.field("ts").type == pa.timestamp("us", "UTC")
    assert schema.field("side").type == pa.string()
    assert [f.name for f in schema if f.nullable] == ["buyer", "seller"]
    assert (
        validate(rows({})).events.cast({"side": pl.String}).to_arrow().cast(schema).schema == schema
    )


def test_the_id_is_the_last_of_the_key() -> None:
    assert TRADES.id == "id"
