"""The ring trades with itself and ends as it began; the arbitrage program meets the makers."""

from __future__ import annotations

import polars as pl
import pytest

MAKERS = [f"account-{i:05}" for i in range(3)]


def traders(played, symbol: str) -> list[str]:
    entities = played.truth["entity"].to_list()
    return [e.removesuffix(f"|{symbol}") for e in entities if e.endswith(f"|{symbol}")]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_ring_trades_with_itself_and_ends_flat(play, seed: int) -> None:
    played = play(6, "attack", seed=seed, minutes=65)
    symbol = played.truth["entity"][0]
    ring = traders(played, symbol)
    assert len(ring) in (1, 2, 5)
    tape = played.during("trades", "washing").filter(pl.col("symbol") == symbol)
    theirs = tape.filter(pl.col("buyer").is_in(ring) | pl.col("seller").is_in(ring))
    among = theirs.filter(pl.col("buyer").is_in(ring) & pl.col("seller").is_in(ring))
    assert among["qty"].sum() > 0.8 * theirs["qty"].sum()
    assert len(among) > 30
    if len(ring) > 1:
        assert (among["buyer"] != among["seller"]).all()
    for account in ring:
        bought, sold = (
            among.filter(pl.col(side) == account)["qty"].sum() for side in ("buyer", "seller")
        )
        assert abs(bought - sold) < 0.35 * (bought + sold)


def test_the_ring_shares_a_device(play) -> None:
    seed = next(
        s for s in (1, 2, 3, 4, 5, 6) if len(play(6, "attack", seed=s, minutes=65).truth) > 2
    )
    played = play(6, "attack", seed=seed, minutes=65)
    ring = traders(played, played.truth["entity"][0])
    links = played.platform.actors().filter(
        pl.col("origin").is_in(ring) & (pl.col("target_kind") == "device")
    )
    shared = links.group_by("target").agg(pl.col("origin").n_unique())
    assert shared["origin"].max() == len(ring)


def test_the_arbitrage_program_repeats_a_size_and_meets_the_makers(play) -> None:
    played = play(6, "decoy", minutes=65)
    symbol = played.truth["entity"][0]
    (account,) = traders(played, symbol)
    mine = played.during("orders", "arbitrage").filter(
        (pl.col("account") == account) & (pl.col("symbol") == symbol)
    )
    sizes = mine.filter(pl.col("kind") == "new")["qty"].value_counts(sort=True)
    assert sizes["count"][0] > 0.9 * sizes["count"].sum()
    tape = played.during("trades", "arbitrage").filter(pl.col("symbol") == symbol)
    assert tape.filter((pl.col("buyer") == account) & (pl.col("seller") == account)).is_empty()
    met = tape.filter(pl.col("buyer") == account)["seller"]
    assert met.is_in(MAKERS).mean() > 0.5
