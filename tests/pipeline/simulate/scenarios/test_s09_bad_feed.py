"""The feed really stalls, freezes, multiplies, comes late and from tomorrow; the decoy is told."""

from __future__ import annotations

from datetime import timedelta

import polars as pl


def quotes(played, stage: str) -> pl.DataFrame:
    symbol, venue = played.stage(stage)["entity"][0].split("|")
    mine = (pl.col("symbol") == symbol) & (pl.col("venue") == venue)
    return played.during("market_data", stage).filter(mine)


def test_the_feed_stalls_while_the_other_venues_go_on(play) -> None:
    played = play(9, "attack")
    assert quotes(played, "stall").is_empty()
    symbol, venue = played.stage("stall")["entity"][0].split("|")
    others = played.during("market_data", "stall").filter(pl.col("symbol") == symbol)
    assert others["venue"].n_unique() == 3
    assert (others["event"] == "quote").all()
    assert venue not in others["venue"]


def test_then_one_quote_is_told_again_and_again(play) -> None:
    stale = quotes(play(9, "attack"), "stale prices")
    assert len(stale) > 20
    assert stale["bid"].n_unique() == stale["ask"].n_unique() == 1
    assert stale["reference"].n_unique() > 5
    assert (stale["bid"][0] / stale["reference"][0] - 1) < 0.01


def test_then_prices_are_ten_times_what_they_are(play) -> None:
    fat = quotes(play(9, "attack"), "tenfold tick")
    assert 1 <= len(fat) <= 6
    middle = (fat["bid"] + fat["ask"]) / 2
    assert (middle / fat["reference"]).is_between(9.9, 10.1).all()


def test_then_quotes_come_five_minutes_late_and_one_from_tomorrow(play) -> None:
    played = play(9, "attack")
    late = quotes(played, "late")
    assert len(late)
    assert (late["received_at"] - late["ts"] > timedelta(minutes=4)).all()
    events = played.events["market_data"]
    future = events.filter(pl.col("ts") > pl.col("received_at") + timedelta(hours=1))
    assert len(future) == 1
    arrived = events["received_at"]
    assert (arrived.diff().drop_nulls() >= timedelta(0)).all()


def test_maintenance_is_announced_by_a_disconnect_and_ends_with_a_connect(play) -> None:
    played = play(9, "decoy", minutes=120)
    start, end = played.span("maintenance")
    venue = played.stage("maintenance")["entity"][0].split("|")[1]
    mine = played.events["market_data"].filter(pl.col("venue") == venue)
    told = mine.filter(pl.col("ts").is_between(start, end))
    assert set(told["event"]) == {"connect", "disconnect"}
    assert told["ts"].unique().sort().to_list() == [start, end]
    assert mine.filter(pl.col("ts") > end)["event"].eq("quote").all()


def test_the_flat_pair_is_flat_at_every_venue(play) -> None:
    played = play(9, "decoy", minutes=120)
    symbol = played.stage("flat pair")["entity"][0].split("|")[0]
    flat = played.during("market_data", "flat pair").filter(pl.col("symbol") == symbol)
    assert flat["venue"].n_unique() == 4
    assert flat["bid"].n_unique() == flat["reference"].n_unique() == 1
