"""Refused rows add up, keep their values, and tell in one line what is wrong."""

from __future__ import annotations

import polars as pl
import pytest

from features.refusal import Refusals, StreamError

RAW = pl.DataFrame({"price": [1.0, -2.0, None, -4.0], "note": ["a", "b", "c", "d"]})
EXPECTED = {"price": "a finite number > 0", "id": "a whole number"}


def refuse(*tests: tuple[str, str, list[bool | None]]) -> Refusals:
    refusals = Refusals("trades", EXPECTED)
    for reason, column, broken in tests:
        refusals.add(reason, column, pl.Series(broken, dtype=pl.Boolean))
    refusals.collect(RAW)
    return refusals


def test_a_row_is_refused_once_for_the_first_rule_it_breaks() -> None:
    refusals = refuse(
        ("null", "price", [False, False, True, False]),
        ("out_of_range", "price", [False, True, True, True]),
    )
    assert refusals.rows["reason"].to_list() == ["out_of_range", "null", "out_of_range"]
    assert refusals.counts == {"out_of_range": 2, "null": 1}
    assert sum(refusals.counts.values()) == len(refusals)


def test_the_most_frequent_reason_is_counted_first_and_ties_go_by_name() -> None:
    refusals = refuse(
        ("null", "price", [True, False, False, False]),
        ("absurd_time", "price", [False, True, False, False]),
        ("unsorted", "price", [False, False, True, True]),
    )
    assert list(refusals.counts) == ["unsorted", "absurd_time", "null"]


def test_refused_rows_are_kept_as_they_were_given() -> None:
    refusals = refuse(("out_of_range", "price", [False, True, False, True]))
    assert refusals.rows.rows() == [
        (1, "out_of_range", "price", -2.0, "b"),
        (3, "out_of_range", "price", -4.0, "d"),
    ]
    assert refusals.rows.columns == ["row", "reason", "column", "price", "note"]


def test_kept_and_refused_rows_are_all_rows() -> None:
    refusals = refuse(("out_of_range", "price", [False, True, False, True]))
    assert refusals.keep(RAW)["note"].to_list() == ["a", "c"]
    assert refusals.broken(len(RAW)).to_list() == [False, True, False, True]


def test_a_null_in_a_mask_is_no_reason() -> None:
    refusals = refuse(("out_of_range", "price", [None, False, None, False]))
    assert len(refusals) == 0
    assert refusals.keep(RAW).equals(RAW)


def test_the_message_names_stream_row_reason_column_value_and_expected() -> None:
    refusals = refuse(("out_of_range", "price", [False, True, False, True]))
    assert refusals.first == (
        "stream trades: row 1: out of range: price = -2.0; expected a finite number > 0"
    )
    with pytest.raises(StreamError, match=r"^stream trades: row 1: out of range: price = -2\.0"):
        refusals.raise_first()


def test_a_column_that_was_not_given_has_no_value_to_tell() -> None:
    refusals = refuse(("null", "id", [True, False, False, False]))
    assert refusals.first == "stream trades: row 0: null: id; expected a whole number"


def test_without_refused_rows_there_is_nothing_to_tell() -> None:
    refusals = refuse()
    refusals.raise_first()
    assert (len(refusals), refusals.counts, refusals.first) == (0, {}, "")
    assert refusals.keep(RAW) is RAW
    assert not refusals.broken(4).any()
