"""Features of order messages: hand-computed examples, and history equal to live stream."""

from __future__ import annotations

import dataclasses
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
from features.orders import ACCOUNT_SYMBOL_1M, ACCOUNT_SYMBOL_5S, KINDS, ORDERS, SYMBOL_1M
from features.silence import batch_windows
from features.view import FeatureView
from features.windows import Windower

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
SCHEMA = {c.name: c.type for c in ORDERS.columns}
OPTIONAL = [c.name for c in ORDERS.columns if not c.required]
BOOK = {"best_bid": 100.0, "best_ask": 101.0, "bid_depth": 30.0, "ask_depth": 10.0}


def message(at: float, order: str, kind: str, side: str, qty: float, **told: Any) -> dict[str, Any]:
    """A message `at` seconds after `T0`; what is not told is null."""
    ts = T0 + timedelta(seconds=at)
    given = {"ts": ts, "symbol": "ETHBTC", "account": "a", "order_id": order}
    return given | {"kind": kind, "side": side, "qty": qty} | told


def log(*rows: dict[str, Any]) -> pl.DataFrame:
    """The messages, numbered in order, through the border of the stream."""
    raw = pl.DataFrame(list(rows), schema_overrides={k: SCHEMA[k] for r in rows for k in r})
    validated = ORDERS.validate(raw, now=T0 + timedelta(hours=1))
    assert len(validated.refused) == 0
    return validated.events


def measure(*rows: dict[str, Any], view: FeatureView = ACCOUNT_SYMBOL_1M) -> dict[str, Any]:
    """The first window of the messages."""
    return extract(view, log(*rows)).row(0, named=True)


def test_counts_and_ratios_of_messages() -> None:
    window = measure(
        message(0, "1", "new", "buy", 2),
        message(1, "2", "new", "buy", 1),
        message(2, "3", "new", "sell", 1),
        message(3, "1", "modify", "buy", 2),
        message(4, "2", "cancel", "buy", 1),
        message(5, "1", "fill", "buy", 1),
        message(6, "1", "fill", "buy", 1),
        message(7, "3", "fill", "sell", 1),
        message(8, "4", "reject", "sell", 1),
    )
    assert window["messages"] == 9
    assert window["orders_entered"] == 3
    assert window["fills"] == 3
    assert window["order_to_trade_ratio"] == pytest.approx(5 / 3)
    assert window["cancel_ratio"] == pytest.approx(1 / 3)
    assert window["reject_rate"] == pytest.approx(1 / 6)
    assert window["largest_order_share"] == 0.5
    assert window["order_imbalance"] == 0.5
    assert window["fill_imbalance"] == pytest.approx(1 / 3)
    assert window["silence"] == 52


def test_ratios_are_counts_when_nothing_was_entered_or_filled() -> None:
    window = measure(message(0, "1", "cancel", "buy", 2), message(1, "2", "cancel", "buy", 2))
    assert window["order_to_trade_ratio"] == 2
    assert window["cancel_ratio"] == 2
    assert window["reject_rate"] == 0
    assert window["largest_order_share"] is None
    assert window["order_imbalance"] is window["fill_imbalance"] is None


BUCKETS = {
    "cancel_ratio_at_touch": [("buy", 100.5), ("buy", 100.0), ("sell", 101.0)],
    "cancel_ratio_to_10bp": [("buy", 99.99), ("buy", 99.9), ("sell", 101.101)],
    "cancel_ratio_10_to_50bp": [("buy", 99.89), ("buy", 99.5), ("sell", 101.505)],
    "cancel_ratio_beyond_50bp": [("buy", 99.49), ("sell", 102.0)],
}


@pytest.mark.parametrize(
    ("name", "side", "price"), [(name, *at) for name, prices in BUCKETS.items() for at in prices]
)
def test_cancels_count_in_the_bucket_of_their_distance(name: str, side: str, price: float) -> None:
    told = BOOK | {"price": price}
    window = measure(
        message(0, "1", "new", side, 1, **told),
        message(1, "2", "new", side, 1, **told),
        message(2, "2", "cancel", side, 1, **told),
    )
    assert {k: window[k] for k in BUCKETS} == dict.fromkeys(BUCKETS, 0.0) | {name: 0.5}


def test_fills_say_nothing_of_cancels_by_distance() -> None:
    window = measure(message(0, "1", "fill", "buy", 1, **BOOK, price=100.0))
    assert window["cancel_ratio"] == 0
    assert window["cancel_ratio_at_touch"] is None


def test_lifetimes_run_from_the_entry_that_the_message_tells() -> None:
    lives = [100, 200, 300, 400, 1000]
    window = measure(
        *(
            message(9, str(i), "cancel", "buy", 1, entered_at=T0 + timedelta(seconds=9 - ms / 1e3))
            for i, ms in enumerate(lives)
        ),
        message(9, "8", "fill", "buy", 1, entered_at=T0 - timedelta(seconds=1)),
        message(9, "9", "fill", "buy", 1, entered_at=T0 + timedelta(seconds=7)),
    )
    assert window["cancel_lifetime_p10"] == pytest.approx(140)
    assert window["cancel_lifetime_median"] == pytest.approx(300)
    assert window["cancel_lifetime_p90"] == pytest.approx(760)
    assert window["execution_time_median"] == pytest.approx(6000)
    assert window["execution_time_p95"] == pytest.approx(9600)


def test_an_entry_that_is_not_told_is_read_from_the_same_window_only() -> None:
    windows = extract(
        ACCOUNT_SYMBOL_5S,
        log(
            message(1, "1", "new", "buy", 1),
            message(2, "1", "cancel", "buy", 1),
            message(3, "2", "new", "buy", 1),
            message(6, "2", "cancel", "buy", 1),
            message(11, "3", "cancel", "buy", 1, entered_at=T0 + timedelta(seconds=12)),
        ),
    )
    assert windows["cancel_lifetime_median"].to_list() == [1000, None, None]


def test_large_orders_are_half_the_depth_of_their_side() -> None:
    near, far = BOOK | {"price": 100.0}, BOOK | {"price": 99.0}
    window = measure(
        message(0, "1", "new", "buy", 15, **near),
        message(1, "2", "new", "buy", 20, **far),
        message(2, "3", "new", "buy", 10, **near),
        message(3, "4", "new", "sell", 5, **BOOK, price=101.0),
        message(4, "5", "cancel", "buy", 50, **near),
        message(5, "6", "new", "buy", 50),
    )
    assert window["large_order_share"] == pytest.approx(40 / 50)
    assert window["large_near_touch_share"] == pytest.approx(20 / 50)
    assert window["largest_order_share"] == pytest.approx(50 / 100)


def test_depth_before_fills_is_seen_from_the_side_that_filled() -> None:
    sold = message(0, "1", "fill", "sell", 1, **BOOK)
    bought = message(0, "2", "fill", "buy", 1, **BOOK)
    empty = message(0, "3", "fill", "buy", 1, bid_depth=0.0, ask_depth=0.0)
    cases = ([sold], 0.5), ([bought], -0.5), ([sold, bought, empty], 0), ([empty], None)
    for rows, expected in cases:
        assert measure(*rows)["depth_imbalance_before_fills"] == expected


def test_the_engine_is_measured() -> None:
    told = [{"processing": float(i), "queue_depth": float(i * i)} for i in range(1, 6)]
    window = measure(*(message(0, str(i), "new", "buy", 1, **x) for i, x in enumerate(told)))
    assert window["processing_median"] == 3
    assert window["processing_p95"] == pytest.approx(4.8)
    assert window["processing_max"] == 5
    assert window["queue_depth_mean"] == 11
    assert window["queue_depth_max"] == 25


def spoof(**changes: Any) -> list[dict[str, Any]]:
    """A large bid, a small ask that fills, and the bid withdrawn."""
    c = {"large": 50.0, "small": 10.0, "back": 3.0, "side": "sell", "account": "a"} | changes
    return [
        message(0, "1", "new", "buy", c["large"]),
        message(1, "2", "new", c["side"], c["small"], account=c["account"]),
        message(1, "2", "fill", c["side"], c["small"] / 2, account=c["account"]),
        message(c["back"], "1", "cancel", "buy", c["large"]),
    ]


@pytest.mark.parametrize("view", [ACCOUNT_SYMBOL_1M, ACCOUNT_SYMBOL_5S, SYMBOL_1M])
def test_a_large_order_withdrawn_after_a_small_fill_is_a_sequence(view: FeatureView) -> None:
    assert measure(*spoof(), view=view)["opposite_side_sequences"] == 1


@pytest.mark.parametrize(
    "changes", [{"back": 3.1}, {"large": 49}, {"side": "buy"}, {"account": "b"}]
)
@pytest.mark.parametrize("view", [ACCOUNT_SYMBOL_1M, SYMBOL_1M])
def test_what_is_not_quite_a_sequence_is_none(view: FeatureView, changes: dict[str, Any]) -> None:
    assert measure(*spoof(**changes), view=view)["opposite_side_sequences"] == 0


def test_a_large_order_from_before_the_window_counts_if_its_entry_is_told() -> None:
    _, small, fill, cancel = spoof()
    told = cancel | {"entered_at": T0 - timedelta(minutes=5)}
    after = cancel | {"entered_at": T0 + timedelta(seconds=1.5)}
    assert measure(small, fill, cancel)["opposite_side_sequences"] == 0
    assert measure(small, fill, told)["opposite_side_sequences"] == 1
    assert measure(small, fill, after)["opposite_side_sequences"] == 0


def test_a_fill_is_as_large_as_its_whole_order() -> None:
    new, _, fill, cancel = spoof()
    assert measure(new, fill, cancel)["opposite_side_sequences"] == 1
    assert measure(new, fill | {"order_qty": 11.0}, cancel)["opposite_side_sequences"] == 0


def test_a_market_maker_that_quotes_both_sides_anew_makes_no_sequence() -> None:
    window = measure(
        message(0, "1", "new", "buy", 50),
        message(0, "2", "new", "sell", 50),
        message(1, "2", "fill", "sell", 1),
        message(2, "1", "cancel", "buy", 50),
        message(2, "2", "cancel", "sell", 49),
    )
    assert window["cancel_ratio"] == 1
    assert window["order_imbalance"] == 0
    assert window["opposite_side_sequences"] == 0


def test_what_the_source_does_not_tell_is_null_and_not_zero() -> None:
    window = measure(*spoof(), message(4, "1", "reject", "buy", 1))
    unknown = {name for name, value in window.items() if value is None}
    assert unknown == {
        *("cancel_ratio_at_touch", "cancel_ratio_to_10bp"),
        *("cancel_ratio_10_to_50bp", "cancel_ratio_beyond_50bp"),
        *("large_order_share", "large_near_touch_share", "depth_imbalance_before_fills"),
        *("processing_median", "processing_p95", "processing_max"),
        *("queue_depth_mean", "queue_depth_max"),
    }


def test_an_account_and_the_market_are_entities_of_their_own() -> None:
    rows = log(message(0, "1", "new", "buy", 1), message(1, "2", "new", "buy", 1, account="b"))
    assert extract(ACCOUNT_SYMBOL_1M, rows)["entity"].to_list() == ["a|ETHBTC", "b|ETHBTC"]
    assert extract(SYMBOL_1M, rows)["entity"].to_list() == ["ETHBTC"]


def random_log(rng: np.random.Generator, rows: int, told: list[str]) -> pl.DataFrame:
    """Valid messages with many ties of time, and nulls in the optional columns told."""
    at = T0 + np.sort(rng.integers(0, 300, rows)) * timedelta(seconds=0.4)
    frame = pl.DataFrame(
        {
            "ts": list(at),
            "symbol": rng.choice(["ETHBTC", "XMRBTC"], rows),
            "account": rng.choice(["a", "b", "c"], rows),
            "id": rng.permutation(rows),
            "order_id": [str(i) for i in rng.integers(0, 12, rows)],
            "kind": rng.choice(KINDS, rows),
            "side": rng.choice(["buy", "sell"], rows),
            "qty": rng.choice([0.0, 0.1, 1.0, 7.0, 50.0], rows),
            "price": 100 + rng.integers(-80, 80, rows) / 100,
            "order_qty": rng.choice([1.0, 10.0, 50.0], rows),
            "entered_at": list(at - rng.integers(-1, 9, rows) * timedelta(seconds=0.7)),
            "best_bid": 100 - rng.integers(1, 5, rows) / 100,
            "best_ask": 100 + rng.integers(1, 5, rows) / 100,
            "bid_depth": rng.choice([0.0, 2.0, 30.0], rows),
            "ask_depth": rng.choice([0.0, 2.0, 30.0], rows),
            "processing": rng.exponential(5, rows),
            "queue_depth": rng.integers(0, 2000, rows),
        },
        schema_overrides=SCHEMA,
    )
    known = pl.DataFrame({c: (rng.random(rows) < 0.8) & (c in told) for c in OPTIONAL})
    return frame.with_columns(pl.when(known[c]).then(pl.col(c)).alias(c) for c in OPTIONAL)


@pytest.mark.parametrize(
    "view", [ACCOUNT_SYMBOL_1M, ACCOUNT_SYMBOL_5S, SYMBOL_1M], ids=lambda view: view.name
)
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(1, 120),
    told=st.lists(st.sampled_from(OPTIONAL), unique=True),
    cuts=st.lists(st.floats(0, 1), max_size=6),
    lateness=st.sampled_from([5, 3600]),
)
def test_any_split_and_order_gives_the_windows_of_one_batch(
    view: FeatureView, seed: int, rows: int, told: list[str], cuts: list[float], lateness: int
) -> None:
    rng = np.random.default_rng(seed)
    view = dataclasses.replace(view, lateness=timedelta(seconds=lateness))
    events = random_log(rng, rows, told)
    assert len(ORDERS.validate(events, now=T0 + timedelta(hours=1)).events) == rows
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
