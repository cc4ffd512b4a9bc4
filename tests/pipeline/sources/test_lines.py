"""Lines of any kind become rows or are refused: none is lost, none is changed."""

from __future__ import annotations

import csv
import io
import json

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.trading import TRADES
from pipeline.sources.lines import Parsed, parse_csv, parse_json, rows_of
from pipeline.stream.border import judge
from tests.streams import AFTER, made_up

WELL = made_up(TRADES, 5)
HEADER = WELL.columns
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda of: st.lists(of, max_size=2) | st.dictionaries(st.text(max_size=3), of, max_size=2),
    max_leaves=3,
)
OBJECTS = st.dictionaries(st.sampled_from([*HEADER, "other"]), VALUES, max_size=8)
LINES = st.one_of(
    st.sampled_from(WELL.write_ndjson().encode().splitlines()),
    OBJECTS.map(json.dumps).map(str.encode),
    st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
    st.text(max_size=20).map(lambda line: line.replace("\n", "").encode("utf-8", "replace")),
)
SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)


def given_rows(parsed: Parsed) -> int:
    rows, refused = parsed
    return len(rows) + (0 if refused is None else len(refused))


def judged(rows: pl.DataFrame) -> int:
    valid = judge(TRADES, rows, now=AFTER, first_id=0)
    return len(valid.events) + len(valid.refused)


@SETTINGS
@given(st.lists(LINES, max_size=8))
def test_every_line_becomes_a_row_or_is_refused(lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b"").replace(b"\r", b"") for line in lines]
    parsed = parse_json(TRADES, b"\n".join(lines))
    assert given_rows(parsed) == sum(bool(line.strip()) for line in lines)
    assert judged(parsed[0]) == len(parsed[0])


@SETTINGS
@given(st.lists(OBJECTS, min_size=1, max_size=6))
def test_objects_of_any_values_are_judged_and_none_is_lost(rows: list[dict[str, object]]) -> None:
    frame = rows_of(TRADES, rows)
    assert len(frame) == len(rows)
    assert judged(frame) == len(rows)


@SETTINGS
@given(st.lists(st.lists(st.text(max_size=4), min_size=1, max_size=10), max_size=6))
def test_every_csv_record_becomes_a_row_or_is_refused(records: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(records)
    parsed = parse_csv(TRADES, HEADER, text.getvalue().encode())
    rows = list(csv.reader(io.StringIO(text.getvalue(), newline="")))
    assert given_rows(parsed) == sum(bool(row) for row in rows)
    assert len(parsed[0]) == sum(len(row) == len(HEADER) for row in rows)


@SETTINGS
@given(st.binary(max_size=60))
def test_bytes_that_are_no_csv_do_not_stop_the_reader(data: bytes) -> None:
    rows, refused = parse_csv(TRADES, HEADER, data)
    assert judged(rows) == len(rows)
    assert refused is None or len(refused)


def test_well_formed_lines_come_as_they_were_written() -> None:
    rows, refused = parse_json(TRADES, WELL.write_ndjson().encode())
    assert refused is None
    assert_frame_equal(judge(TRADES, rows, now=AFTER, first_id=0).events, WELL)


def test_good_rows_beside_bad_lines_are_the_same_as_without_them() -> None:
    lines = WELL.write_ndjson().encode()
    rows, refused = parse_json(TRADES, b"\n" + lines + b"oops\n")
    assert refused is not None
    assert refused.rows() == [("not a JSON object", "oops")]
    assert_frame_equal(judge(TRADES, rows, now=AFTER, first_id=0).events, WELL)


def test_a_number_that_does_not_fit_is_refused_and_not_made_null() -> None:
    row = orjson.loads(WELL.write_ndjson().splitlines()[0])
    rows = [row | {"id": 2**70}, row | {"price": {"a": 1}}, row | {"buyer": 5.5}, row]
    text = "\n".join(str(r).replace("'", '"').replace("None", "null") for r in rows)
    frame, refused = parse_json(TRADES, text.encode())
    assert refused is None
    valid = judge(TRADES, frame, now=AFTER, first_id=0)
    assert valid.refused.select("reason", "column").rows() == [
        ("wrong_type", "id"),
        ("wrong_type", "price"),
        ("duplicate_id", "id"),
    ]


@pytest.mark.parametrize("text", ["a,b\n1,2", "a,b\n1,2\n", "a,b\r\n1,2\r\n"])
def test_line_endings_do_not_matter(text: str) -> None:
    data = text.encode().split(b"\n", 1)[1]
    rows, refused = parse_csv(TRADES, ["a", "b"], data)
    assert refused is None
    assert rows.rows() == [("1", "2")]


def test_a_record_that_is_too_short_is_refused_and_not_filled_up() -> None:
    rows, refused = parse_csv(TRADES, ["a", "b"], b"1\n1,2\n1,2,3\n,\n")
    assert rows.rows() == [("1", "2"), (None, None)]
    assert refused is not None
    assert refused["row"].to_list() == ["1", "1,2,3"]


@pytest.mark.parametrize("beside", [b"4,5", b'"4",5', b"4,5,6"])
def test_a_long_field_is_a_value_whatever_is_beside_it(beside: bytes) -> None:
    data = b"1,2\n" + b"x" * 200_000 + b",3\n" + beside + b"\n6,7\n"
    rows, refused = parse_csv(TRADES, ["a", "b"], data)
    assert len(rows) + (0 if refused is None else len(refused)) == 4
    assert rows["a"][1] == "x" * 200_000
    assert rows.rows()[-1] == ("6", "7")
