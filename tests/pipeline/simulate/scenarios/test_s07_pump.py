"""The pump is a rush of new accounts into whom the insiders sell; the news is everybody's."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest


def tape(played, start, end) -> pl.DataFrame:
    symbol = played.truth["entity"][0]
    return played.events["trades"].filter(
        (pl.col("symbol") == symbol) & pl.col("ts").is_between(start, end, closed="left")
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rush_of_new_accounts_lifts_the_price_and_the_dump_lets_it_fall(play, seed: int) -> None:
    played = play(7, "attack", seed=seed, minutes=210, activity=0.3)
    begin, _ = played.span("pump")
    before = tape(played, begin - timedelta(hours=1), begin)
    rush = tape(played, begin, begin + timedelta(minutes=1))
    assert len(rush) > 30
    assert len(rush) > 10 * max(len(before) / 60, 0.5)
    assert rush["price"].max() > 1.03 * before["price"][-1]
    after = tape(played, begin + timedelta(minutes=3), begin + timedelta(minutes=15))
    assert after["price"][-1] < rush["price"].max()
    newcomers = 3 + 4_000
    buyers = rush.filter(pl.col("side") == "buy")["buyer"]
    assert (buyers.str.slice(8).cast(pl.Int64) >= newcomers).mean() > 0.6


def test_who_sells_into_the_rush_bought_before_it(play) -> None:
    played = play(7, "attack", minutes=210, activity=0.3)
    begin, end = played.span("pump")
    start, _ = played.span("accumulation")
    sold = tape(played, begin, end).filter(pl.col("side") == "sell")
    top = sold.group_by("seller").agg(pl.col("qty").sum()).sort("qty", descending=True)
    early = tape(played, start, begin).filter(pl.col("side") == "buy")["buyer"].unique()
    assert top["seller"].head(3).is_in(early.implode()).sum() >= 2


def test_news_is_broad_slow_and_no_rush(play) -> None:
    played = play(7, "decoy", minutes=210, activity=0.3)
    start, _ = played.span("news")
    news = tape(played, start, start + timedelta(hours=3))
    minutes = news.group_by(pl.col("ts").dt.truncate("1m")).len()["len"]
    assert minutes.max() < 20 * minutes.mean()
    takers = news.filter(pl.col("side") == "buy")["buyer"].value_counts()
    assert len(takers) > 100
    assert takers["count"].max() < 0.1 * takers["count"].sum()
