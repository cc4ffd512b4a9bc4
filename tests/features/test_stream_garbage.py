"""Garbage at the border: nothing is lost, and nothing wrong gets through."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from features.stream import EARLIEST, Validated
from features.trading import TRADES

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GOOD = {"ts": NOW, "symbol": "ETHBTC", "id": 7, "price": 2.5, "qty": 3.0, "side": "buy"}


def rows(*changes: dict[str, object]) -> pl.DataFrame:
    """Good trades with ids 0, 1, 2 and so on, but for the changes."""
    return pl.DataFrame([GOOD | {"id": i} | change for i, change in enumerate(changes)])


def validate(frame: pl.DataFrame) -> Validated:
    return TRADES.validate(frame, now=NOW)


def any_of(*values: st.SearchStrategy[object]) -> st.SearchStrategy[list[object]]:
    """A column of eight values of one kind, nulls among them."""
    return st.one_of(*(st.lists(st.none() | v, min_size=8, max_size=8) for v in values))


NUMBERS = st.sampled_from([1.0, 2.5, 1e300, 0.0, -0.0, -1.0, math.nan, math.inf, -math.inf])
TEXTS = st.sampled_from(["1", "2.5", "-3", "nan", "inf", "", " 4", "0x10", "buy", "sell", "é|\n"])
TIMES = st.sampled_from(
    [
        NOW,
        NOW + timedelta(days=3),
        NOW - timedelta(microseconds=1),
        datetime(1970, 1, 1, tzinfo=UTC),
    ]
)
WHOLE = st.integers(-2, 3) | st.sampled_from([2**63 - 1, -(2**63)])
GARBAGE = st.fixed_dictionaries(
    {
        "ts": any_of(TIMES, st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31", "", "x"])),
        "symbol": any_of(TEXTS, WHOLE),
        "id": any_of(WHOLE, st.integers(0, 100), NUMBERS, TEXTS),
        "price": any_of(NUMBERS, TEXTS, WHOLE),
        "qty": any_of(NUMBERS, TEXTS, WHOLE),
        "side": any_of(st.sampled_from(["buy", "sell", "BUY", ""])),
        "buyer": any_of(TEXTS, WHOLE),
    }
)


@given(garbage=GARBAGE, disorder=st.sampled_from([None, timedelta(0), timedelta(seconds=1)]))
def test_accepted_plus_refused_is_given(
    garbage: dict[str, list[object]], disorder: timedelta | None
) -> None:
    frame = pl.DataFrame(garbage)
    validated = TRADES.validate(frame, now=NOW, max_disorder=disorder)
    refused = validated.refused
    assert len(validated.events) + len(refused) == len(frame)
    assert sum(refused.counts.values()) == len(refused)
    assert refused.counts == Counter(refused.rows["reason"]) if len(refused) else not refused.counts


@given(garbage=GARBAGE)
def test_what_is_accepted_is_typed_complete_finite_in_range_and_unique(
    garbage: dict[str, list[object]],
) -> None:
    events = validate(pl.DataFrame(garbage)).events
    assert events.schema == {c.name: c.type for c in TRADES.columns}
    for event in events.iter_rows(named=True):
        assert EARLIEST <= event["ts"] <= NOW + timedelta(days=1)
        assert event["symbol"] is not None
        assert 0 < event["price"] < math.inf
        assert 0 < event["qty"] < math.inf
        assert event["side"] in ("buy", "sell")
    assert events.select(TRADES.key).is_unique().all()
    assert len(validate(events).refused) == 0


@given(garbage=GARBAGE)
def test_a_row_is_refused_for_what_it_is_whatever_stands_beside_it(
    garbage: dict[str, list[object]],
) -> None:
    frame = pl.DataFrame(garbage)
    refused = validate(frame).refused.rows
    reasons = dict(refused.select("row", "reason").iter_rows()) if len(refused) else {}
    for i in range(len(frame)):
        alone = next(iter(validate(frame[i : i + 1]).refused.counts), None)
        assert alone == (None if reasons.get(i) == "duplicate_id" else reasons.get(i))
