"""Spoofed orders are large, near, one-sided and never meant; the maker's are two-sided."""

from __future__ import annotations

import polars as pl
import pytest

KINDS = ["attack", "decoy"]


def own(played, stage: str) -> pl.DataFrame:
    account, symbol = played.truth["entity"][0].split("|")
    of = played.during("orders", stage)
    return of.filter((pl.col("account") == account) & (pl.col("symbol") == symbol))


@pytest.mark.parametrize("seed", [1, 2])
def test_the_large_orders_are_withdrawn_before_they_are_filled(play, seed: int) -> None:
    mine = own(play(5, "attack", seed=seed), "spoofing")
    limits = mine.filter((pl.col("kind") == "new") & pl.col("price").is_not_null())
    sales = mine.filter((pl.col("kind") == "new") & pl.col("price").is_null())
    assert len(sales) >= 6
    by_round = limits["qty"].sum() / len(sales)
    assert by_round > 5 * sales["qty"].max()
    withdrawn = mine.filter((pl.col("kind") == "cancel") & pl.col("price").is_not_null())
    assert withdrawn["qty"].sum() > 0.95 * limits["qty"].sum()
    lived = (withdrawn["ts"] - withdrawn["entered_at"]).dt.total_milliseconds()
    assert lived.max() < 8_000


def test_the_large_orders_are_near_the_best_price(play) -> None:
    mine = own(play(5, "attack"), "spoofing")
    new = mine.filter((pl.col("kind") == "new") & pl.col("price").is_not_null())
    best = pl.when(pl.col("side") == "buy").then("best_bid").otherwise("best_ask")
    away = new.select((pl.col("price") / best - 1).abs()).to_series()
    assert away.max() < 0.001
    depth = pl.when(pl.col("side") == "buy").then("bid_depth").otherwise("ask_depth")
    rounds = mine.filter((pl.col("kind") == "new") & pl.col("price").is_null())
    assert new.select((pl.col("qty") / depth).sum()).item() > 0.3 * len(rounds)


def test_the_small_order_is_filled_on_the_other_side_just_before(play) -> None:
    mine = own(play(5, "attack"), "spoofing")
    fills = mine.filter(pl.col("kind") == "fill")
    assert len(fills) >= 6
    withdrawn = mine.filter((pl.col("kind") == "cancel") & pl.col("price").is_not_null())
    last = withdrawn.sort("ts").join_asof(
        fills.sort("ts").select("ts", pl.col("ts").alias("filled"), pl.col("side").alias("taken")),
        on="ts",
    )
    soon = (last["ts"] - last["filled"]).dt.total_milliseconds() < 2_000
    other = last["side"].cast(pl.String) != last["taken"].cast(pl.String)
    assert (soon & other).mean() > 0.9


def test_a_maker_in_a_wild_market_withdraws_as_much_but_on_both_sides(play) -> None:
    mine = own(play(5, "decoy"), "volatility")
    new, gone = (mine.filter(pl.col("kind") == kind) for kind in ("new", "cancel"))
    assert len(gone) > 0.8 * len(new) > 500
    bought = new.filter(pl.col("side") == "buy")["qty"].sum()
    assert bought / new["qty"].sum() == pytest.approx(0.5, abs=0.05)
    depth = pl.when(pl.col("side") == "buy").then("bid_depth").otherwise("ask_depth")
    assert new.select((pl.col("qty") / depth).median()).item() < 0.3
