"""The stolen key reads others' orders in sequence; the hurried program reads its own."""

from __future__ import annotations

import polars as pl


def of_key(played, stage: str) -> pl.DataFrame:
    (key,) = played.stage(stage).filter(pl.col("view") == "access.key_1m")["entity"]
    return played.during("access", stage).filter(pl.col("key") == key)


def test_orders_are_asked_for_in_sequence_and_refused(play) -> None:
    mine = of_key(play(4, "attack"), "enumeration")
    (ip,) = (
        play(4, "attack").stage("enumeration").filter(pl.col("view") == "access.ip_1m")["entity"]
    )
    foreign = mine.filter(pl.col("ip") == ip)
    assert len(foreign) > 200
    assert (foreign["object"].diff().drop_nulls() == 1).all()
    assert foreign["status"].is_in([403, 404, 429]).mean() > 0.7


def test_the_key_is_used_from_two_systems_at_once(play) -> None:
    mine = of_key(play(4, "attack"), "enumeration")
    assert mine["asn"].n_unique() == 2


def test_a_burst_of_orders_follows(play) -> None:
    played = play(4, "attack")
    account = of_key(played, "enumeration")["account"][0]
    orders = played.during("orders", "trading burst").filter(
        (pl.col("account") == account) & (pl.col("kind") == "new")
    )
    assert len(orders) > 50


def test_the_hurried_program_asks_as_often_but_is_answered_at_home(play) -> None:
    mine = of_key(play(4, "decoy"), "funding burst")
    assert len(mine) > 500
    assert mine["ip"].n_unique() == mine["asn"].n_unique() == 1
    assert (mine["status"] == 200).mean() > 0.95
    assert (mine["object"].drop_nulls().diff() == 1).mean() < 0.01
