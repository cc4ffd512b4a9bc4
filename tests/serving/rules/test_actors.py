"""Who is behind a name: learned from what succeeded, kept in the store, and asked by rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from features.access.stream import ACCESS
from features.catalogue import VIEWS
from pipeline.config import Config
from pipeline.sources.kinds import build
from pipeline.stream.live import loop_of
from serving.house import House
from serving.rules import actors as module
from serving.rules.actors import Actors
from serving.store.tables import alerts

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STORY = "story.key_abused_then_withdrawal"


def seen(*rows: dict[str, Any]) -> Actors:
    """What is known after events, one step each."""
    found = Actors()
    for row in rows:
        found.see(ACCESS.name, events(row))
    return found


def events(row: dict[str, Any]) -> pl.DataFrame:
    columns = {one.name: one.type for one in ACCESS.columns}
    return pl.DataFrame([{"ts": NOON, "id": 0, "kind": "request", **row}], schema=columns)


def test_what_succeeded_ties_key_address_and_wallet_to_the_account() -> None:
    path = "/withdraw?asset=USDT&amount=5.00&address=0xab"
    found = seen(
        {"account": "ann", "key": "key-1", "ip": "1.2.3.4", "status": 200},
        {"account": "ann", "kind": "withdrawal", "outcome": "success", "path": path},
    )
    assert {found(name) for name in ("ann", "key-1", "1.2.3.4", "0xab")} == {"ann"}
    assert found("bob") == "bob"


def test_an_account_has_the_names_that_are_its_alone() -> None:
    found = seen(
        {"account": "ann", "key": "key-1", "ip": "1.2.3.4"},
        {"account": "ann", "key": "key-2"},
        {"account": "bob", "ip": "1.2.3.4"},
    )
    assert found.names("ann") == ["key-1", "key-2"]
    assert found.names("bob") == []
    again = Actors()
    again.restore({name: row for name, row in found.state().items() if row is not None})
    assert again.names("ann") == ["key-1", "key-2"]


@pytest.mark.parametrize("how", [{"outcome": "failure"}, {"status": 403}, {"account": None}])
def test_what_was_refused_ties_nothing(how: dict[str, Any]) -> None:
    refused = {"account": "ann", "key": "key-1", "ip": "1.2.3.4", **how}
    assert seen(refused)("key-1") == "key-1"


def test_what_two_accounts_share_is_nobodys_for_ever() -> None:
    office = [{"account": name, "ip": "1.2.3.4"} for name in ("ann", "bob", "ann")]
    found = seen(*office)
    assert found("1.2.3.4") == "1.2.3.4"
    again = Actors()
    again.restore({k: v for k, v in found.state().items() if v is not None})
    again.see(ACCESS.name, pl.DataFrame(schema={c.name: c.type for c in ACCESS.columns}))
    assert again("1.2.3.4") == "1.2.3.4"
    assert again.state() == {}


def test_other_streams_tell_nothing_and_only_changes_are_kept() -> None:
    found = seen({"account": "ann", "key": "key-1"})
    assert found.state() == {"key-1": {"account": "ann", "at": 0}}
    found.see("trades", pl.DataFrame({"account": ["bob"], "key": ["key-1"]}))
    assert found.state() == {}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    found = seen(*({"account": "ann", "key": f"key-{i}"} for i in range(3)))
    assert found("key-0") == "key-0"
    assert found.state() == {
        "key-0": None,
        "key-1": {"account": "ann", "at": 1},
        "key-2": {"account": "ann", "at": 2},
    }


PAIRS = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["z", "y", "x", "k", "b", "a"]))


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(PAIRS, st.booleans()), max_size=25))
def test_a_restart_anywhere_changes_nothing(steps: list[tuple[tuple[str, str], bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST", 3)
        undisturbed, restarted = Actors(), Actors()
        stored: dict[str, dict[str, Any]] = {}
        for (account, key), restart in steps:
            for one in (undisturbed, restarted):
                one.see(ACCESS.name, events({"account": account, "key": key}))
            changed = restarted.state()
            assert changed == undisturbed.state()
            # A store keeps no order, and gives back what JSON can hold.
            stored = {k: v for k, v in sorted({**stored, **changed}.items()) if v is not None}
            if restart:
                restarted = Actors()
                restarted.restore(json.loads(json.dumps(stored)))


def test_what_was_kept_without_an_order_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 2)
    found = Actors()
    found.restore({"old-b": {"account": "ann"}, "old-a": {"account": "ann"}})
    found.see(ACCESS.name, events({"account": "ann", "key": "new"}))
    assert found.state() == {"old-a": None, "new": {"account": "ann", "at": 0}}


def test_the_house_joins_a_key_and_its_account(
    tmp_path: Path, make_store: Callable[[], sa.Engine]
) -> None:
    """The key reads what is not its own; then its account withdraws. A restart lies between."""
    url = make_store().url.render_as_string(hide_password=False)
    source = {"kind": "push", "name": "access", "stream": "access"}
    views = ["access.key_1m", "access.account_5m"]
    written = {"home": tmp_path, "store": url, "models": "cold", "sources": [source]}
    config = Config.model_validate(written | {"views": views})
    now = NOON
    house = House.open(config, clock=lambda: now)

    def live(rows: list[dict[str, Any]], until: datetime) -> None:
        nonlocal now
        columns = {c.name: c.type for c in ACCESS.columns}
        house.spools["access"].append(
            pl.DataFrame([{"kind": "request", **row} for row in rows], schema=columns)
        )
        now = until
        loop = loop_of(config, build(config, lambda: now), sink=house.alerts())
        while loop.step(now):
            pass
        loop.close()
        loop.checkpoint.close()

    own = {"account": "ann", "key": "key-1", "ip": "1.2.3.4", "status": 200}
    denied = [
        {
            "ts": NOON + timedelta(seconds=i / 4),
            "key": "key-1",
            "ip": "9.9.9.9",
            "status": 404,
            "path": f"/orders/{i}",
            "endpoint": "/orders/*",
            "object": float(i),
        }
        for i in range(1, 200)
    ]
    live([{"ts": NOON, **own}, *denied], NOON + timedelta(minutes=5))
    withdrawal = {"account": "ann", "kind": "withdrawal", "outcome": "success", "status": 200}
    for minutes in (7, 20):
        live(
            [{"ts": NOON + timedelta(minutes=minutes), **withdrawal}],
            NOON + timedelta(minutes=minutes + 1),
        )
    with house.engine.connect() as connection:
        told = {row.family: row.entity for row in connection.execute(sa.select(alerts))}
        assert Actors.of(connection)("key-1") == "ann"
    assert told["access.enumeration_key"] == "key-1"
    assert told[STORY] == "ann"
    assert VIEWS.keys() >= set(views)
    house.close()
