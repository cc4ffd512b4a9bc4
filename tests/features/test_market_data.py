"""Features of quotes: hand-computed examples, and history equal to live stream."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.extract import extract
from features.market_data import MARKET_DATA, SYMBOL_VENUE_1M, SYMBOL_VENUE_5S
from features.silence import batch_windows
from features.view import FeatureView
from features.windows import Windower

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = {c.name: c.type for c in MARKET_DATA.columns}
OPTIONAL = [c.name for c in MARKET_DATA.columns if not c.required]


def event(
    at: float, bid: float | None = None, ask: float | None = None, **told: Any
) -> dict[str, Any]:
    """An event `at` seconds after `T0`; what is not told is null."""
    where = {"ts": T0 + timedelta(seconds=at), "symbol": "ETHBTC", "venue": "X"}
    return where | {"bid": bid, "ask": ask} | told


def feed(*rows: dict[str, Any]) -> pl.DataFrame:
    """The events, numbered in order, through the border of the stream."""
    raw = pl.DataFrame(list(rows), schema_overrides={k: SCHEMA[k] for r in rows for k in r})
    validated = MARKET_DATA.validate(raw, now=T0 + timedelta(hours=1))
    assert len(validated.refused) == 0
    return validated.events


def measure(*rows: dict[str, Any], view: FeatureView = SYMBOL_VENUE_1M) -> list[dict[str, Any]]:
    """The windows of the events."""
    return extract(view, feed(*rows)).to_dicts()


def test_updates_and_intervals() -> None:
    first, second = measure(*(event(at, 99, 101) for at in (1, 2, 4, 4.5, 63)))
    assert first["updates"] == 4
    assert first["interval_median"] == 1
    assert first["interval_max"] == 2
    assert second["updates"] == 1
    assert second["interval_max"] == 58.5


def test_a_single_event_has_no_interval() -> None:
    (window,) = measure(event(1, 99, 101))
    assert window["interval_median"] is None
    assert window["jump_max"] is None
    assert window["longest_repetition"] == 0


def test_age_is_receipt_less_stamp_also_when_the_clocks_disagree() -> None:
    ages = [-20, 10, 30, 40, 100]
    (window,) = measure(
        *(
            event(i, 99, 101, received_at=T0 + timedelta(seconds=i, milliseconds=ms))
            for i, ms in enumerate(ages)
        )
    )
    assert window["age_min"] == -20
    assert window["age_median"] == 30
    assert window["age_p95"] == pytest.approx(88)
    assert window["age_max"] == 100


def test_numbers_left_out_are_messages_missed() -> None:
    numbers = [5, 6, 9, 9, 7, 8, 10]
    first, second = measure(
        *(event(i, 99, 101, sequence=n) for i, n in enumerate(numbers)),
        event(61, 99, 101, sequence=20),
    )
    assert first["sequence_gaps"] == 2
    assert first["missing_messages"] == 3
    assert second["sequence_gaps"] == 1
    assert second["missing_messages"] == 9


def test_spread_is_in_basis_points_of_the_middle() -> None:
    (window,) = measure(event(0, 99.5, 100.5), event(1, 99, 101), event(2, 99), event(3, None, 101))
    assert window["spread_mean"] == pytest.approx(150)
    assert window["spread_max"] == pytest.approx(200)
    assert window["crossed_share"] == 0


def test_crossed_and_locked_books_are_a_share_of_the_two_sided() -> None:
    (window,) = measure(event(0, 99, 101), event(1, 100, 100), event(2, 101, 99), event(3, 99))
    assert window["crossed_share"] == pytest.approx(2 / 3)


def test_deviation_is_counted_in_spreads_of_the_window() -> None:
    (window,) = measure(
        event(0, 99.5, 100.5, reference=100.0),
        event(1, 100.5, 101.5, reference=100.0),
        event(2, 102.5, 103.5, reference=100.0),
        event(3, 99.5, 100.5),
    )
    median_spread = (1 / 100 + 1 / 101) / 2 * 1e4
    assert window["cross_venue_deviation_median"] == pytest.approx(100 / median_spread)
    assert window["cross_venue_deviation_max"] == pytest.approx(300 / median_spread)


def test_a_locked_book_counts_as_a_spread_of_one_basis_point() -> None:
    (window,) = measure(event(0, 101, 101, reference=100.0))
    assert window["cross_venue_deviation_max"] == pytest.approx(100)


def test_a_tick_that_is_ten_times_too_high_jumps_and_deviates() -> None:
    (window,) = measure(
        *(event(i, 99 * x, 101 * x, reference=100.0) for i, x in enumerate([1] * 4 + [10]))
    )
    assert window["jump_max"] == pytest.approx(math.log(10))
    assert window["cross_venue_deviation_max"] == pytest.approx(9e4 / 200)
    assert window["cross_venue_deviation_median"] == pytest.approx(0)


def test_a_fall_is_a_jump_as_a_rise_is() -> None:
    (window,) = measure(event(0, 99, 101), event(1, 9.9, 10.1))
    assert window["jump_max"] == pytest.approx(math.log(10))


def test_the_longest_run_of_equal_quotes() -> None:
    bids = [98, 98, 98, 97, 97, 98]
    (window,) = measure(*(event(2 * i, bid, 101) for i, bid in enumerate(bids)))
    assert window["longest_repetition"] == 2
    assert window["longest_repetition_time"] == 4


def test_a_run_is_counted_anew_in_each_window_and_measured_from_the_quote_before() -> None:
    first, second = measure(*(event(at, 99, 101) for at in (50, 58, 61, 65)))
    assert (first["longest_repetition"], first["longest_repetition_time"]) == (1, 8)
    assert (second["longest_repetition"], second["longest_repetition_time"]) == (2, 7)


@pytest.mark.parametrize("column", ["bid", "ask", "bid_qty", "ask_qty", "last"])
def test_any_change_ends_a_run(column: str) -> None:
    quote = event(0, 99, 101, bid_qty=1.0, ask_qty=1.0, last=100.0)
    changed = event(1, 99, 101, bid_qty=1.0, ask_qty=1.0, last=100.0) | {column: 99.5}
    assert measure(quote, changed)[0]["longest_repetition"] == 0
    assert measure(quote, changed | {column: quote[column]})[0]["longest_repetition"] == 1


def test_a_new_connection_ends_a_run() -> None:
    (window,) = measure(
        event(0, 99, 101, event="quote"),
        event(1, 99, 101, event="connect"),
        event(2, 99, 101, event="quote"),
    )
    assert window["longest_repetition"] == 0
    assert window["updates"] == 2


def test_connection_flaps_and_the_time_they_cost() -> None:
    quote = {"bid": 99.0, "ask": 101.0, "event": "quote"}
    first, second = measure(
        event(0, **quote),
        event(10, event="disconnect"),
        event(15, event="connect"),
        event(16, **quote),
        event(50, event="disconnect"),
        event(70, event="connect"),
    )
    assert (first["connection_flaps"], first["downtime"], first["disconnected"]) == (2, 5, 1)
    assert (second["connection_flaps"], second["downtime"], second["disconnected"]) == (0, 20, 0)
    assert second["updates"] == 0
    assert second["longest_repetition"] is None


def test_what_the_source_does_not_tell_is_null_and_not_zero() -> None:
    (window,) = measure(event(0, 99, 101), event(1, 99, 101))
    assert {name for name, value in window.items() if value is None} == {
        *("age_median", "age_p95", "age_max", "age_min"),
        *("sequence_gaps", "missing_messages"),
        *("cross_venue_deviation_median", "cross_venue_deviation_max"),
        *("connection_flaps", "downtime", "disconnected"),
    }


def test_each_venue_is_measured_against_itself() -> None:
    one, other = event(0, 99, 101, sequence=1), event(2, 99, 101, sequence=9, venue="Y")
    x, y = measure(one, other)
    assert (x["entity"], y["entity"]) == ("ETHBTC|X", "ETHBTC|Y")
    assert y["missing_messages"] is None
    assert y["interval_max"] is None
    assert y["longest_repetition"] == 0


def random_feed(rng: np.random.Generator, rows: int, told: list[str]) -> pl.DataFrame:
    """Valid events with many ties of time, and nulls in the optional columns told."""
    at = T0 + np.sort(rng.integers(0, 300, rows)) * timedelta(seconds=0.4)
    received = at + rng.normal(0.05, 0.05, rows) * timedelta(seconds=1)
    frame = pl.DataFrame(
        {
            "ts": list(at),
            "symbol": rng.choice(["ETHBTC", "XMRBTC"], rows),
            "venue": rng.choice(["X", "Y"], rows),
            "id": rng.permutation(rows),
            "event": rng.choice(["quote", "connect", "disconnect"], rows, p=[0.8, 0.1, 0.1]),
            "bid": rng.choice([98.0, 99.0, 100.0], rows, p=[0.1, 0.8, 0.1]),
            "ask": rng.choice([99.0, 101.0, 1010.0], rows, p=[0.1, 0.8, 0.1]),
            "bid_qty": rng.choice([0.0, 1.0], rows),
            "ask_qty": rng.choice([0.0, 1.0], rows),
            "last": rng.choice([99.0, 100.0], rows),
            "reference": 100 + rng.normal(0, 0.1, rows),
            "received_at": list(received),
            "sequence": np.arange(rows) + rng.integers(0, 3, rows),
        },
        schema_overrides=SCHEMA,
    )
    known = pl.DataFrame({c: (rng.random(rows) < 0.9) & (c in told) for c in OPTIONAL})
    return frame.with_columns(pl.when(known[c]).then(pl.col(c)).alias(c) for c in OPTIONAL)


@pytest.mark.parametrize("view", [SYMBOL_VENUE_1M, SYMBOL_VENUE_5S], ids=lambda view: view.name)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 120),
    told=st.lists(st.sampled_from(OPTIONAL), unique=True),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    lateness=st.sampled_from([5, 3600]),
    forget_after=st.sampled_from([10, 3600]),
)
def test_any_split_and_order_gives_the_windows_of_one_batch(
    view: FeatureView,
    seed: int,
    rows: int,
    told: list[str],
    cuts: list[float],
    lateness: int,
    forget_after: int,
) -> None:
    rng = np.random.default_rng(seed)
    view = dataclasses.replace(
        view,
        lateness=timedelta(seconds=lateness),
        forget_after=timedelta(seconds=forget_after),
    )
    events = random_feed(rng, rows, told)
    assert len(MARKET_DATA.validate(events, now=T0 + timedelta(hours=1)).events) == rows
    delay = pl.Series(rng.integers(0, lateness, rows, dtype=np.int64) * 1_000_000)
    arriving = events[(events["ts"].to_physical() + delay).arg_sort()]
    edges = [0, *sorted(round(cut * rows) for cut in cuts), rows]
    windower = Windower(view)
    steps = [windower.push(arriving[a:b], now=T0 + timedelta(hours=1)) for a, b in pairwise(edges)]
    assert sum(len(step.late) + len(step.future) for step in steps) == 0
    live = pl.concat([*(step.windows for step in steps), windower.flush().windows])
    history = batch_windows(view, events)
    assert_frame_equal(live, history, abs_tol=1e-9, rel_tol=1e-9)
    assert not history.select(pl.col(view.names).is_nan().any()).transpose().to_series().any()
