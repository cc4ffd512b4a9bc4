"""The insider reads more each week than its peers; the newcomer stops where they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.s10_insider import SCENARIO

pytestmark = pytest.mark.slow  # nine simulated days

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 4


@pytest.fixture(scope="module", autouse=True)
def few_days() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.simulate.scenarios.s10_insider.DAYS", DAYS)
        yield


@pytest.fixture(scope="module")
def played(few_days: object) -> dict[str, tuple[pl.DataFrame, dict[str, pl.DataFrame]]]:
    """Four days instead of three weeks: a Monday to a Thursday, and the Friday of the export."""
    both = {}
    for kind in ("attack", "decoy"):
        platform = Platform(1, START, pairs=PAIRS[-2:], activity=0.05)
        truth = SCENARIO.play(platform, START, kind, strength=1.0)
        both[kind] = truth, platform.advance(START + timedelta(days=DAYS + 1, hours=4))
    return both


def looked_up(events: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Customers looked at, by employee and day."""
    looks = events["access"].filter(pl.col("endpoint") == "/admin/customers/*")
    return looks.group_by("account", pl.col("ts").dt.date().alias("day")).len().sort("day")


def test_the_insider_reads_a_little_more_each_day_until_it_is_far_above_its_peers(played) -> None:
    truth, events = played["attack"]
    name = truth.filter(pl.col("stage") == "drift")["entity"][0]
    counts = looked_up(events).filter(pl.col("day") < (START + timedelta(days=DAYS)).date())
    mine = counts.filter(pl.col("account") == name)["len"]
    peers = counts.filter(pl.col("account") != name)["len"]
    assert mine.is_sorted()
    assert mine[-1] > 2.5 * peers.median()


def test_a_rule_is_muted_and_a_threshold_moved_before_the_export(played) -> None:
    truth, events = played["attack"]
    name = truth["entity"][0]
    mine = events["access"].filter(pl.col("account") == name)
    edits = mine.filter(pl.col("method") == "PUT")
    assert edits["path"].to_list() == [
        "/admin/rules/17?muted=true",
        "/admin/rules/22?threshold=4000",
    ]
    exports = mine.filter(pl.col("endpoint") == "/admin/export/*")
    assert exports["ts"].min() > edits["ts"].max()
    assert exports["bytes"].sum() > 1e7


def test_a_friend_who_shares_the_insider_s_device_buys_before_the_news(played) -> None:
    truth, events = played["attack"]
    (ahead,) = truth.filter(pl.col("stage") == "trading ahead").iter_rows(named=True)
    tape = events["trades"].filter(pl.col("symbol") == ahead["entity"])
    before = tape.filter(pl.col("ts").is_between(ahead["start"], ahead["end"]))
    top = before.filter(pl.col("side") == "buy")["buyer"].value_counts(sort=True)
    assert top["count"][0] > 0.5 * top["count"].sum()
    after = tape.filter(pl.col("ts") > ahead["end"] + timedelta(minutes=6))
    assert after["price"].median() > 1.04 * before["price"][0]


def test_the_newcomer_ramps_up_to_its_peers_and_no_further(played) -> None:
    truth, events = played["decoy"]
    name = truth.filter(pl.col("stage") == "ramp-up")["entity"][0]
    counts = looked_up(events)
    mine = counts.filter(pl.col("account") == name)["len"]
    peers = counts.filter(pl.col("account") != name)["len"]
    assert mine[0] < mine[-1] < 2 * peers.median()


def test_the_one_on_call_reads_many_in_one_stretch(played) -> None:
    truth, events = played["decoy"]
    (call,) = truth.filter(pl.col("stage") == "on call").iter_rows(named=True)
    looks = events["access"].filter(
        (pl.col("account") == call["entity"])
        & pl.col("ts").is_between(call["start"], call["end"])
        & (pl.col("endpoint") == "/admin/customers/*")
    )
    assert len(looks) > 100
