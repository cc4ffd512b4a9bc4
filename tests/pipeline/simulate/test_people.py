"""The same seed is the same people; what belongs together is in the graph of actors."""

from __future__ import annotations

import numpy as np
import polars as pl

from models.links import Links
from pipeline.simulate.people import ACTORS, FIRST_STAFF, People


def test_the_same_seed_is_the_same_people() -> None:
    first, again, other = (People(seed) for seed in (1, 1, 2))
    assert first.actors().equals(again.actors())
    assert not first.actors().equals(other.actors())


def test_every_account_has_an_address_and_a_device_and_some_a_key_and_a_wallet() -> None:
    people = People(1)
    actors = people.actors()
    assert dict(actors.schema) == ACTORS
    mine = actors.filter(pl.col("origin_kind") == "account")
    owners = {
        kind: set(mine.filter(pl.col("target_kind") == kind)["origin"])
        for kind in ("ip", "device", "key", "chain")
    }
    assert len(owners["ip"]) == len(owners["device"]) == people.count
    assert 0 < len(owners["key"]) < len(owners["chain"]) < people.count


def test_risk_goes_from_a_key_to_its_account_and_on_to_its_wallet() -> None:
    people = People(1)
    account = people.new_account(np.random.default_rng(1))
    key = people.key(people.new_key(account, made=5))
    links = Links()
    name = people.name(account)
    actors = people.actors().filter((pl.col("origin") == name) | (pl.col("target") == name))
    for row in actors.iter_rows(named=True):
        links.set(row["origin"], row["target"], row["share"])
    (wallet,) = actors.filter(pl.col("target_kind") == "chain")["target"]
    assert links.paths(wallet, 2)[key] == ((key, name, wallet), 0.8 * 0.8)


def test_names_tell_customers_from_employees() -> None:
    people = People(1)
    names = people.names(np.array([7, FIRST_STAFF + 2, 7]))
    assert names.to_list() == ["account-00007", "staff-02", "account-00007"]


def test_no_two_addresses_are_the_same_and_some_visits_come_through_a_carrier() -> None:
    people = People(1)
    ips = [a.ip for a in people.addresses]
    assert len(set(ips)) == len(ips)
    near = people.addresses[people.new_address(np.random.default_rng(1), 0, near=0)]
    assert near.ip.rsplit(".", 1)[0] == ips[0].rsplit(".", 1)[0]
    address, _, _ = people.where(np.arange(3, 2_003), np.random.default_rng(1))
    shared = np.unique(address, return_counts=True)[1].max()
    assert shared > 10
