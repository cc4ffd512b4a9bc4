"""Visits are logins, requests and now and then a withdrawal; keys poll; employees work by day."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from features.access import ACCESS
from pipeline.simulate.flow import BEAT
from pipeline.simulate.people import People
from pipeline.simulate.visits import SUCCESS, Visits

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = int(MONDAY.timestamp()) * 1_000_000
MINUTES = 60


def lived(begin: int, activity: float = 1.0) -> pl.DataFrame:
    visits = Visits(People(1), activity)
    for minute in range(MINUTES):
        rng = np.random.default_rng([1, minute])
        visits.beat(begin + minute * BEAT, rng)
        visits.settle(begin + (minute + 1) * BEAT, 0.01, 80.0, rng)
    return visits.take(begin + MINUTES * BEAT)


@pytest.fixture(scope="module")
def hour() -> pl.DataFrame:
    return lived(NOW)


def test_every_event_is_valid_and_in_order(hour: pl.DataFrame) -> None:
    checked = ACCESS.validate(hour, now=MONDAY.replace(hour=14))
    assert checked.refused.counts == {}
    assert hour["ts"].is_sorted()
    assert hour["id"].to_list() == list(range(len(hour)))


def test_a_session_begins_with_a_login_that_succeeds(hour: pl.DataFrame) -> None:
    sessions = hour.filter(pl.col("session").is_not_null())
    first = sessions.group_by("session", maintain_order=True).first()
    assert (first["kind"] == "login").all()
    logins = sessions.filter(pl.col("kind") == "login")
    assert 0.85 < (logins["outcome"] == "success").mean() < 1
    assert (logins.filter(pl.col("outcome") == "failure")["status"] == 401).all()


def test_a_key_polls_at_an_interval_of_its_own(hour: pl.DataFrame) -> None:
    for key in ("key-0001", "key-0007"):
        gaps = hour.filter(pl.col("key") == key)["ts"].diff().drop_nulls().dt.total_milliseconds()
        assert gaps.std() < 0.05 * gaps.mean()
    assert hour["key"].n_unique() > 40


def test_errors_and_speed_are_the_service_s(hour: pl.DataFrame) -> None:
    assert (hour["status"] == 503).mean() == pytest.approx(0.01, abs=0.005)
    assert hour["duration"].quantile(0.95) == pytest.approx(80, rel=0.15)


def test_employees_work_by_day_and_not_at_night() -> None:
    by_day, by_night = (
        lived(NOW + shift * 3_600_000_000, 0.1)["account"].str.starts_with("staff").sum()
        for shift in (0, 10)
    )
    assert by_day > 20
    assert by_night == 0


def test_an_event_that_is_put_in_comes_out_with_what_belongs_to_it() -> None:
    people = People(1)
    visits = Visits(people)
    address, device, agent = people.home(9)
    who = {"account": 9, "ip": address, "device": device, "agent": agent}
    visits.login(NOW, SUCCESS, who)
    visits.withdraw(NOW + 1, 12.5, "0xabc", who)
    visits.settle(NOW + 2, 0.0, 80.0, np.random.default_rng(1))
    login, withdrawal = visits.take(NOW + 2).iter_rows(named=True)
    assert login["ts"] == MONDAY
    assert (login["account"], login["status"], login["kind"]) == ("account-00009", 200, "login")
    assert login["ip"] == people.addresses[address].ip
    assert login["subnet"] == login["ip"].rsplit(".", 1)[0] + ".0/24"
    assert withdrawal["path"] == "/api/v1/withdrawals?asset=USDT&amount=12.50&address=0xabc"
