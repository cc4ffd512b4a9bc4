"""The border of the loop refuses rows, never batches, and keeps what it puts aside as text."""

from __future__ import annotations

import json
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.catalogue import STREAMS
from features.stream import Stream
from features.trading import TRADES
from pipeline.sources.source import unreadable
from pipeline.stream.border import ASIDE, aside, aside_lines, judge, pack, unpack
from tests.streams import AFTER, made_up

ODD: list[pl.Series] = [
    pl.Series([1.5, None]),
    pl.Series(["x", "2026-03-01T00:00:00Z"]),
    pl.Series([True, None]),
    pl.Series([{"a": 1}, None]),
    pl.Series([[1], [2, 3]]),
    pl.Series([b"\xff", b"a"]),
    pl.Series([datetime(2026, 1, 1), None]),
    pl.Series([None, None]),
    pl.Series([2**63, 1], dtype=pl.UInt64),
]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.sampled_from(list(STREAMS.values())).flatmap(
        lambda stream: st.tuples(
            st.just(stream),
            st.dictionaries(
                st.sampled_from([*(c.name for c in stream.columns), "other"]),
                st.sampled_from(range(len(ODD))),
                min_size=1,
            ),
        )
    )
)
def test_rows_of_any_columns_are_judged_one_by_one(given: tuple[Stream, dict[str, int]]) -> None:
    stream, columns = given
    rows = pl.DataFrame({name: ODD[i] for name, i in columns.items()})
    valid = judge(stream, rows, now=AFTER, first_id=5)
    assert len(valid.events) + len(valid.refused) == 2
    assert valid.events.schema == stream.empty.schema
    if len(valid.refused):
        table = aside("refused", "s", valid.refused, now=AFTER)
        assert dict(table.schema) == ASIDE
        assert [json.loads(row) is not None for row in table["row"]] == [True] * len(valid.refused)


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_valid_events_pass_as_they_are(name: str) -> None:
    events = made_up(STREAMS[name], 20)
    valid = judge(STREAMS[name], events, now=AFTER, first_id=0)
    assert_frame_equal(valid.events, events)


def test_a_value_that_is_no_number_stands_in_what_was_put_aside() -> None:
    rows = made_up(TRADES, 3).with_columns(price=pl.Series([1.0, float("nan"), float("inf")]))
    valid = judge(TRADES, rows, now=AFTER, first_id=0)
    table = aside("refused", "s", valid.refused, now=AFTER)
    assert [json.loads(row)["price"] for row in table["row"]] == ["NaN", "inf"]
    assert table["reason"].to_list() == ["non_finite"] * 2
    assert table["field"].to_list() == ["price"] * 2


def test_yes_and_no_are_read_from_texts_and_nothing_else_is() -> None:
    stream = STREAMS["service"]
    rows = made_up(stream, 4).select("ts", "service", "id", up=pl.lit("true"))
    rows = rows.with_columns(up=pl.Series(["true", "false", None, "yes"]))
    valid = judge(stream, rows, now=AFTER, first_id=0)
    assert valid.events["up"].to_list() == [True, False, None]
    assert valid.refused.select("id", "reason", "column").rows() == [("3", "wrong_type", "up")]


def test_lines_that_could_not_be_parsed_are_kept_with_their_reason() -> None:
    table = aside_lines("s", unreadable("not a JSON object", ["oops"]), now=AFTER)
    assert dict(table.schema) == ASIDE
    assert table.rows() == [("s", AFTER, AFTER, "refused", "not a JSON object", None, "oops")]


@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_frame_that_was_packed_comes_back(name: str) -> None:
    events = made_up(STREAMS[name], 10)
    assert_frame_equal(unpack(pack(events)), events)
    assert_frame_equal(unpack(pack(events.clear())), events.clear())
    assert pack(unpack(pack(events))) == pack(events)
