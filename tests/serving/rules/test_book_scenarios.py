"""Simulated attacks breach the rules of their scenario; their benign twins page nobody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.catalogue import VIEWS
from features.extract import extract
from features.silence import batch_windows
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS
from pipeline.simulate.scenarios.scenario import Kind
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.correlate import Correlator
from serving.rules.load import load_packs
from serving.severity import Severity

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
PLAYED = {scenario.number: scenario for scenario in SCENARIOS.values()}
PACKS = load_packs()
SLOW = pytest.mark.slow


def _play(number: int, kind: Kind, hours: float, streams: set[str]) -> list[Breach]:
    """Everything that rules say while a scenario is played after a quiet half hour."""
    platform = Platform(number, START, pairs=PAIRS, activity=0.1)
    quiet = timedelta(minutes=30)
    PLAYED[number].play(platform, START + quiet, kind, strength=1.0)
    events = platform.advance(START + quiet + timedelta(hours=hours))
    book, found = RuleBook(PACKS), list[Breach]()
    for view in VIEWS.values():
        if view.stream.name not in streams:
            continue
        # A person is not expected at any time; a machine is.
        windows = batch_windows if view.stream.name in ("host", "service", "database") else extract
        frame: pl.DataFrame = windows(view, events[view.stream.name])
        found += book.breaches(view.name, frame.sort("start", "entity"))
    found = sorted((one for one in found if not one.pending), key=lambda one: one.end)
    return found + Correlator(PACKS).breaches(found, at=START + timedelta(days=1))


@pytest.mark.parametrize(
    ("number", "hours", "streams", "stories"),
    [
        pytest.param(3, 1.3, {"access"}, {"story.takeover", "story.takeover_campaign"}, marks=SLOW),
        (4, 0.4, {"access"}, {"story.stolen_key"}),
        (5, 0.4, {"orders"}, {"story.spoofing"}),
        pytest.param(6, 1.1, {"trades"}, {"story.wash_trading"}, marks=SLOW),
        pytest.param(7, 3.4, {"trades"}, {"story.pump_and_dump"}, marks=SLOW),
        (8, 1.0, {"host", "service", "database"}, {"story.degradation"}),
        (9, 0.5, {"market_data"}, {"feed.jump.high", "feed.late.high"}),
    ],
)
def test_an_attack_is_told_and_its_twin_pages_nobody(
    number: int, hours: float, streams: set[str], stories: set[str]
) -> None:
    attack = _play(number, "attack", hours, streams)
    assert stories <= {one.rule for one in attack if not one.silent}
    assert any(one.severity >= Severity.MEDIUM and one.playbook for one in attack)
    twin = _play(number, "decoy", hours + 0.6, streams)
    # What is announced, as a venue's maintenance, the calendar mutes.
    pages = {one.rule for one in twin if one.severity >= Severity.HIGH and not one.silent}
    assert pages <= ({"feed.silent.high", "story.bad_feed"} if number == 9 else set())


def test_a_quiet_hour_of_machines_says_nothing() -> None:
    platform = Platform(1, START, pairs=PAIRS[-1:], activity=0.02)
    events = platform.advance(START + timedelta(hours=1))
    book = RuleBook(PACKS)
    for name in ("system.host_1m", "system.service_1m", "system.database_1m", "system.disk_1m"):
        frame = batch_windows(VIEWS[name], events[VIEWS[name].stream.name])
        assert len(frame) >= 60
        assert book.breaches(name, frame) == []
