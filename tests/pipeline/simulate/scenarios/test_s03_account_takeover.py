"""The stuffing address tries many users and fails; the carrier's has as many and they get in."""

from __future__ import annotations

import polars as pl


def logins(played, stage: str, view: str) -> pl.DataFrame:
    ips = played.stage(stage).filter(pl.col("view") == view)["entity"]
    return played.during("access", stage).filter(
        (pl.col("kind") == "login") & pl.col("ip").is_in(ips.implode())
    )


def test_each_stuffing_address_tries_many_users_few_times_and_fails(play) -> None:
    tried = logins(play(3, "attack"), "stuffing", "access.ip_1m")
    by_ip = tried.group_by("ip").agg(
        pl.len(), pl.col("account").n_unique().alias("users"), (pl.col("status") == 401).mean()
    )
    assert (by_ip["users"] >= 20).all()
    assert (by_ip["len"] <= 3 * by_ip["users"]).all()
    assert (by_ip["status"] > 0.9).all()
    assert tried.group_by("ip", "account").len()["len"].max() <= 3


def test_every_victim_was_found_by_stuffing_and_is_drained_to_one_address(play) -> None:
    played = play(3, "attack", minutes=75)
    victims = set(played.stage("drain")["entity"])
    tried = logins(played, "stuffing", "access.ip_1m")
    assert victims == set(tried.filter(pl.col("outcome") == "success")["account"])
    keys = played.during("access", "drain").filter(pl.col("kind") == "key_created")
    taken = played.during("access", "drain").filter(
        (pl.col("kind") == "withdrawal") & pl.col("key").is_not_null()
    )
    assert set(taken["account"]) == victims
    assert taken["path"].str.extract("address=(0x[0-9a-f]+)").n_unique() == 1
    made = taken["ts"] - taken["key_created_at"]
    assert made.dt.total_minutes().is_between(0, 60).all()
    assert set(keys["account"]) == victims
    before = played.events["access"].filter(pl.col("ts") < played.span("stuffing")[0])
    assert not keys["device"].is_in(before["device"].unique().implode()).any()


def test_behind_the_carrier_are_as_many_users_who_get_in(play) -> None:
    tried = logins(play(3, "decoy"), "new logins", "access.ip_1m")
    assert tried["ip"].n_unique() == 1
    assert tried["account"].n_unique() > 50
    assert (tried["outcome"] == "success").mean() > 0.85
    assert tried["device"].n_unique() > 50
