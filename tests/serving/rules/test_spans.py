"""Lengths of time and hold-downs as rules write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from serving.rules.spans import Hold, Span, hold, span

SPANS, HOLDS = TypeAdapter(Span), TypeAdapter(Hold)


@given(st.integers(0, 999_999), st.sampled_from("smhd"))
def test_a_length_of_time_is_read_and_written_alike(count: int, unit: str) -> None:
    read = SPANS.validate_python(f"{count}{unit}")
    seconds = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}[unit]
    assert read == timedelta(seconds=count * seconds)
    assert SPANS.dump_python(read) == f"{count * seconds}s"


@given(st.integers(1, 63), st.integers(0, 62))
def test_a_hold_is_read_and_written_alike(some: int, more: int) -> None:
    pair = (some, min(some + more, 63))
    assert HOLDS.validate_python(HOLDS.dump_python(pair)) == pair


@pytest.mark.parametrize("text", ["5", "m", "-5m", "5 m", "1.5h", "5w", "9999999d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number and s, m, h or d"):
        span(text)


@pytest.mark.parametrize("text", ["0", "3 of 2", "64", "1 of 64", "2 in 3", "", "-1"])
def test_what_is_no_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected windows such as 3, or 2 of 3"):
        hold(text)
    with pytest.raises(ValidationError, match="expected windows such as 3"):
        HOLDS.validate_python(text)
