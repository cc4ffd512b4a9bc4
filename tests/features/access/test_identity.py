"""Whether an account acts like itself: novelty, velocity, age of keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.access import ACCESS, ACCOUNT_5M, KEY_1M
from features.silence import batch_windows
from features.windows import Windower

Measure = Callable[..., list[dict[str, Any]]]
DAY = 86_400.0
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_the_first_agent_is_not_new_and_the_second_is_once(measure: Measure) -> None:
    agents = ["m", "m", "n", "m", "n"]
    windows = measure(
        ACCOUNT_5M, *[{"at": 300 * i, "agent": agent} for i, agent in enumerate(agents)]
    )
    assert [window["new_agents"] for window in windows] == [0, 0, 1, 0, 0]


def test_what_another_account_used_is_new(measure: Measure) -> None:
    windows = measure(
        ACCOUNT_5M,
        {"at": 0, "account": "ann", "device": "a"},
        {"at": 1, "account": "bob", "device": "b"},
        {"at": 300, "account": "bob", "device": "a"},
    )
    assert [window["new_devices"] for window in windows] == [0, 0, 1]


def test_a_value_is_known_for_thirty_days(measure: Measure) -> None:
    def shown(gap: float) -> float:
        rows = [{"at": 0, "country": "SI"}, {"at": DAY, "country": "AT"}]
        *_, last = measure(ACCOUNT_5M, *rows, {"at": gap, "country": "SI"})
        new: float = last["new_countries"]
        return new

    assert (shown(30 * DAY), shown(30 * DAY + 300)) == (0, 1)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_history_and_live_stream_know_the_same_devices(
    chunk: int, events: Callable[[list[dict[str, Any]]], pl.DataFrame]
) -> None:
    days = [0, 0.1, 1, 2, 2.5, 4, 20, 31, 33, 34.5, 60]
    devices = ["a", "b", "a", None, "c", "a", "b", "c", "d", "a", "b"]
    told = zip(days, devices, strict=True)
    rows = events([{"at": d * DAY, "device": device, "subnet": device} for d, device in told])
    windower = Windower(ACCOUNT_5M)
    steps = [
        windower.push(rows[i : i + chunk], NOON + timedelta(days=90))
        for i in range(0, len(rows), chunk)
    ]
    live = pl.concat(step.windows for step in [*steps, windower.flush()])

    history = batch_windows(ACCOUNT_5M, rows)
    assert live.equals(history)
    busy = history.filter(pl.col("count") > 0)
    assert busy["new_devices"].to_list() == [0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1]
    assert len(windower.state.previous) <= 5


def test_speed_between_places_is_that_of_the_great_circle(measure: Measure) -> None:
    ljubljana, london = {"lat": 46.05, "lon": 14.51}, {"lat": 51.51, "lon": -0.13}
    [window] = measure(ACCOUNT_5M, {"at": 0} | ljubljana, {"at": 240} | london)
    # 1,233 km in 4 minutes.
    assert window["velocity_max"] == pytest.approx(1_233 * 15, rel=0.01)


@pytest.mark.parametrize(
    ("second", "speed"),
    [({"lat": 46.1, "lon": 14.5}, 0.0), ({}, None), ({"lat": 46.0}, None)],
)
def test_near_places_are_one_and_unknown_ones_none(
    measure: Measure, second: dict[str, float], speed: float | None
) -> None:
    [window] = measure(ACCOUNT_5M, {"at": 0, "lat": 46.05, "lon": 14.51}, {"at": 1} | second)
    assert window["velocity_max"] == speed


def test_where_a_login_fails_the_owner_need_not_be(measure: Measure) -> None:
    home, away = {"lat": 46.05, "lon": 14.51}, {"lat": 51.51, "lon": -0.13}
    guess = {"kind": "login", "outcome": "failure"} | away
    [window] = measure(ACCOUNT_5M, {"at": 0} | home, {"at": 10} | guess, {"at": 20} | home)
    assert window["velocity_max"] is None
    guess["outcome"] = "success"
    [window] = measure(ACCOUNT_5M, {"at": 0} | home, {"at": 10} | guess, {"at": 20} | home)
    assert window["velocity_max"] > 100_000


def test_a_key_is_as_young_as_its_youngest_use(measure: Measure) -> None:
    born = NOON - timedelta(hours=2)
    [window] = measure(
        KEY_1M, {"at": 0, "key_created_at": born}, {"at": 36, "key_created_at": born}, {"at": 40}
    )
    assert window["key_age_min"] == pytest.approx(2.0)
    assert window["night_share"] == 0


def test_networks_and_systems_of_a_key_are_counted(measure: Measure) -> None:
    [window] = measure(
        KEY_1M,
        {"at": 0, "ip": "1.1.1.1", "subnet": "1.1.1.0/24", "asn": "1", "endpoint": "/a"},
        {"at": 1, "ip": "2.2.2.2", "subnet": "2.2.2.0/24", "asn": "2", "endpoint": "/b"},
        {"at": 2, "ip": "2.2.2.3", "subnet": "2.2.2.0/24", "asn": "2", "endpoint": "/a"},
    )
    names = ("addresses", "systems", "new_subnets", "new_systems", "new_endpoints")
    assert [window[name] for name in names] == [3, 2, 1, 1, 1]


def test_events_without_an_account_belong_to_no_account(measure: Measure) -> None:
    windows = measure(ACCOUNT_5M, {"at": 0, "account": None}, {"at": 1, "account": "ann"})
    assert [(window["entity"], window["count"]) for window in windows] == [("ann", 1)]
    assert ACCESS.name == "access"
