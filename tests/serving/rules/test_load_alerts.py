"""Our own packs in the alert engine: what a person on call would see."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from serving.alerts.engine import AlertEngine
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator, inhibitions
from serving.rules.load import load_packs
from serving.store.tables import alerts, incidents, memory, outbox
from tests.serving.rules.ruling import MINUTE, START, windows

PACKS = load_packs()


class House:
    """An alert engine with our packs over a store; `step` feeds one window an entity."""

    def __init__(self, store: sa.Engine) -> None:
        self.store = store
        self.now = START
        self.restart()

    def restart(self) -> None:
        self.engine = AlertEngine(
            RuleBook(PACKS), Correlator(PACKS), inhibitions=inhibitions(PACKS)
        )

    def step(
        self, view: str, told: dict[str, dict[str, Any]], *, at: datetime | None = None
    ) -> None:
        frame = windows([told], view=view, first=at or self.now)
        scores = frame.select("entity", "start", "end").with_columns(
            per_day=pl.lit(1e4), warm=pl.lit(False)
        )
        end: datetime = frame["end"][-1]
        self.now = max(self.now, end)
        with self.store.begin() as connection:
            self.engine.take(connection, VIEWS[view], frame, scores, [], now=self.now)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.store.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test_a_cpu_window_of_86_percent_is_a_high_alert_on_its_route_at_once(store: sa.Engine) -> None:
    house = House(store)
    house.step("system.host_1m", {"web-1": {"cpu_max": 86.0, "silence": 1.0}})
    (alert,) = house.rows(alerts)
    assert (alert["state"], alert["severity"], alert["family"]) == ("firing", "high", "host.cpu")
    assert alert["why"] == "web-1 uses 86 % of its processors; the limit is 85 %"
    assert alert["first_step"].startswith("See which process")
    assert {row["channel"] for row in house.rows(outbox)} >= {"pagerduty", "sms", "chat"}


def test_a_host_that_is_silent_mutes_its_disks_and_is_one_incident(store: sa.Engine) -> None:
    house = House(store)
    for number in range(7):
        silence = 60.0 * number + 61
        at = START + number * MINUTE
        house.step("system.host_1m", {"web-1": {"silence": silence}}, at=at)
        house.step("system.disk_1m", {"web-1|/": {"silence": silence}}, at=at)
    by_family = {row["family"]: row for row in house.rows(alerts)}
    assert by_family["host.silent"]["severity"] == "high"
    assert "symptom of alert" in by_family["host.disk_silent"]["suppressed"]
    assert len(house.rows(incidents)) == 1


def test_accounts_taken_over_are_one_campaign_and_a_restart_loses_no_step(
    store: sa.Engine,
) -> None:
    house, view = House(store), "access.account_5m"
    for step in ({"new_devices": 1.0}, {"keys_created": 1.0}, {"withdrawals": 1.0}):
        house.step(view, {"ann": step, "bob": step})
        house.restart()
        with store.begin() as connection:
            house.engine.restore(connection)
    told = {(row["family"], row["entity"]): row for row in house.rows(alerts)}
    assert set(told) == {
        ("story.takeover", "ann"), ("story.takeover", "bob"),
        ("story.takeover_campaign", "everywhere"),
    }  # fmt: skip
    assert {row["severity"] for row in told.values()} == {"critical"}
    assert {row["playbook"] for row in told.values()} == {"account_takeover"}
    steps = told["story.takeover", "ann"]["breaches"][0]["evidence"]["steps"]
    assert [step["rule"] for step in steps] == [
        "access.new_device.seen", "access.key_created.seen", "access.withdrawal.seen",
    ]  # fmt: skip
    (incident,) = house.rows(incidents)
    assert set(incident["entities"]) == {"ann", "bob", "everywhere"}
    for _ in range(30):
        house.step(view, {"carl": {"requests": 1.0}})
    assert {row["state"] for row in house.rows(alerts)} == {"resolved"}


def test_bad_data_of_a_symbol_accuse_nobody(store: sa.Engine) -> None:
    house = House(store)
    house.step("market_data.symbol_venue_5s", {"ETH|NORTH": {"jump_max": 2.3}})
    house.step("orders.account_symbol_1m", {"ann|ETH": {"opposite_side_sequences": 3.0}})
    house.step("orders.account_symbol_1m", {"ann|BTC": {"opposite_side_sequences": 3.0}})
    told = {row["entity"]: row["suppressed"] for row in house.rows(alerts)}
    assert "symptom of alert" in told["ann|ETH"]
    assert told["ann|BTC"] == ""


def test_an_entity_with_a_very_long_name_is_remembered_too(store: sa.Engine) -> None:
    house, name = House(store), "x" * 1_000
    house.step("access.account_5m", {name: {"login_failures": 99.0, "new_devices": 1.0}})
    assert all(len(row["key"]) <= 255 for row in house.rows(memory))
    house.restart()
    with store.begin() as connection:
        house.engine.restore(connection)
    assert house.engine.book.holds("access.guessing_account", name)
    assert house.now - START == timedelta(minutes=5)
