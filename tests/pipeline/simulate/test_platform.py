"""A platform gives the same events however it is asked, and every event satisfies its stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalogue import STREAMS as KNOWN
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import STREAMS, Platform
from pipeline.simulate.scenarios import SCENARIOS

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
LASTS = timedelta(minutes=8)
Frames = dict[str, pl.DataFrame]


def played(seed: int, cuts: list[float]) -> Frames:
    """A platform with two pairs and every scenario, asked for its events in slices."""
    platform = Platform(seed, START, pairs=PAIRS[:1] + PAIRS[-6:], activity=0.4)
    for scenario in SCENARIOS.values():
        if scenario.number != 10 and not scenario.needs:
            scenario.play(platform, START + timedelta(minutes=1), "attack", strength=0.5)
            scenario.play(platform, START + timedelta(minutes=2), "decoy", strength=0.5)
    ends = [START + LASTS * share for share in sorted(cuts)] + [START + LASTS]
    slices = [platform.advance(end) for end in ends]
    return {name: pl.concat([part[name] for part in slices]) for name in STREAMS}


@pytest.fixture(scope="module")
def whole() -> Frames:
    return played(3, [])


@settings(max_examples=4, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_slices_change_nothing(whole: Frames, cuts: list[float]) -> None:
    for name, events in played(3, cuts).items():
        assert events.equals(whole[name]), name


def test_the_same_seed_is_the_same_platform_and_another_is_not(whole: Frames) -> None:
    again, other = played(3, []), played(4, [])
    for name in STREAMS:
        assert again[name].equals(whole[name]), name
        assert not other[name].equals(whole[name]), name


def test_no_event_is_refused(whole: Frames) -> None:
    for name, events in whole.items():
        validated = KNOWN[name].validate(events, now=START + LASTS)
        assert validated.refused.counts == {}, name
        assert validated.events.equals(events), name
        assert len(events), name


def test_no_book_is_ever_crossed(whole: Frames) -> None:
    books = whole["orders"].drop_nulls(["best_bid", "best_ask"])
    assert (books["best_bid"] < books["best_ask"]).all()


def test_every_trade_is_a_fill_of_both_sides(whole: Frames) -> None:
    fills = whole["orders"].filter(pl.col("kind") == "fill")
    by_side = fills.group_by("symbol", "side").agg(pl.col("qty").sum()).sort("symbol", "side")
    traded = whole["trades"].group_by("symbol").agg(pl.col("qty").sum()).sort("symbol")
    for side in ("buy", "sell"):
        mine = by_side.filter(pl.col("side") == side)
        assert mine["symbol"].to_list() == traded["symbol"].to_list()
        assert mine["qty"].to_list() == pytest.approx(traded["qty"].to_list())
    assert len(fills) == 2 * len(whole["trades"])


def test_what_is_handed_over_has_arrived_by_then() -> None:
    platform = Platform(1, START, pairs=PAIRS[-2:], activity=0.2)
    until = START + timedelta(seconds=90)
    early = platform.advance(until)
    for name, events in early.items():
        at = events["received_at"] if name == "market_data" else events["ts"]
        assert (at < until).all(), name
    assert platform.horizon == platform.microseconds(START + timedelta(minutes=2))


def test_an_order_s_quantity_is_filled_withdrawn_or_still_there(whole: Frames) -> None:
    orders = whole["orders"].filter(~(pl.col("kind") == "modify").any().over("symbol", "order_id"))
    each = orders.group_by("symbol", "order_id").agg(
        pl.col("qty").filter(pl.col("kind") == "new").sum().alias("new"),
        pl.col("qty").filter(pl.col("kind").is_in(["fill", "cancel"])).sum().alias("gone"),
    )
    assert (each["gone"] <= each["new"] * (1 + 1e-9)).all()


@pytest.mark.parametrize("start", [datetime(2026, 3, 2), START + timedelta(seconds=1)])
def test_a_start_that_is_no_whole_aware_minute_is_refused(start: datetime) -> None:
    with pytest.raises(ValueError, match="expected an aware time at a whole minute"):
        Platform(1, start)
