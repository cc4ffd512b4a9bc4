"""Venues quote near each other, numbered without a gap; a fault changes only what it strikes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from features.market_data import MARKET_DATA
from pipeline.simulate.exchange import PAIRS, TICKS
from pipeline.simulate.feeds import VENUES, Fault, Feeds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = int(NOON.timestamp()) * 1_000_000
SECOND = 1_000_000
COUNT = 30


def quoted(*faults: Fault, bid: int = 15_000) -> pl.DataFrame:
    feeds = Feeds(PAIRS[2:4])
    feeds.faults += faults
    at = NOW + np.arange(COUNT) * SECOND
    columns = [at, np.zeros(COUNT), np.full(COUNT, bid), np.full(COUNT, bid + 10)]
    samples = np.column_stack([*columns, np.full((COUNT, 2), 50)]).astype(np.int64)
    feeds.beat(samples, np.random.default_rng(1))
    return feeds.take(NOW + 3_600 * SECOND)


def test_quotes_are_valid_near_each_other_and_numbered_without_a_gap() -> None:
    quotes = quoted()
    checked = MARKET_DATA.validate(quotes, now=NOON.replace(hour=13))
    assert checked.refused.counts == {}
    assert len(quotes) == COUNT * len(VENUES)
    assert (quotes["bid"] < quotes["ask"]).all()
    away = quotes.select(((pl.col("bid") + pl.col("ask")) / 2 / pl.col("reference") - 1).abs())
    assert away.to_series().max() < 0.001
    steps = quotes.sort("venue", "sequence").select(pl.col("sequence").diff().over("venue"))
    assert set(steps.to_series().drop_nulls()) == {1}
    assert (quotes["received_at"] > quotes["ts"]).all()


def test_our_own_quotes_are_the_book() -> None:
    ours = quoted().filter(pl.col("venue") == VENUES[0])
    assert ours["bid"].unique().to_list() == [150.0]
    assert ours["ask"].unique().to_list() == [150.1]


def test_an_empty_side_is_not_quoted() -> None:
    assert quoted(bid=0).is_empty()
    assert quoted(bid=TICKS - 10).is_empty()


def test_a_fault_strikes_its_venue_pair_and_time_alone() -> None:
    end = NOW + 10 * SECOND
    drop = lambda quotes: {name: column[:0] for name, column in quotes.items()}  # noqa: E731
    struck = quoted(Fault(2, frozenset([0]), NOW, end, drop))
    spared = quoted(Fault(2, frozenset([1]), NOW, end, drop))
    sound = quoted()
    assert spared.equals(sound)
    missing = sound.join(struck, on=["venue", "sequence"], how="anti")
    assert set(missing["venue"]) == {VENUES[2]}
    assert (missing["ts"] < NOON.replace(second=10)).all()


def test_a_connection_that_goes_down_is_told_without_a_price() -> None:
    feeds = Feeds(PAIRS[:1])
    feeds.connection(1, 0, NOW, up=False)
    (told,) = feeds.take(NOW + 1).iter_rows(named=True)
    assert told["event"] == "disconnect"
    assert told["bid"] is told["reference"] is told["sequence"] is None
