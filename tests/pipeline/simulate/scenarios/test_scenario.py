"""Every scenario is found by its file, has both kinds, and leaves no mark in the streams."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from features.catalogue import STREAMS, VIEWS
from pipeline.simulate.exchange import PAIRS
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios import SCENARIOS, TRUTH

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
ALONE = [s for s in SCENARIOS.values() if not s.needs]


def test_all_ten_are_found_in_order() -> None:
    assert [s.number for s in SCENARIOS.values()] == list(range(1, 11))
    assert all(name.startswith(f"s{s.number:02}_") for name, s in SCENARIOS.items())


@pytest.mark.parametrize("scenario", ALONE, ids=lambda s: f"S{s.number}")
@pytest.mark.parametrize("kind", ["attack", "decoy"])
def test_the_truth_is_the_same_each_time_and_names_entities_of_views(scenario, kind) -> None:
    first, again = (
        scenario.play(Platform(5, START), START + timedelta(hours=1), kind) for _ in range(2)
    )
    assert first.equals(again)
    assert dict(first.schema) == TRUTH
    assert len(first)
    assert (first["start"] < first["end"]).all()
    assert (first["start"] >= START).all()
    for view, entity in first.select("view", "entity").iter_rows():
        assert VIEWS[view].stream.name in scenario.streams
        assert entity.count("|") == len(VIEWS[view].entity) - 1


def test_strength_is_drawn_from_the_seed() -> None:
    (spoofing,) = (s for s in SCENARIOS.values() if s.number == 5)
    ends = {spoofing.play(Platform(seed, START), START, "attack")["end"][0] for seed in range(4)}
    assert len(ends) == 4


def test_a_played_platform_has_the_columns_of_its_streams_and_no_other() -> None:
    platform = Platform(1, START, pairs=PAIRS, activity=0.1)
    for scenario in ALONE:
        if scenario.number != 10:
            scenario.play(platform, START, "attack", strength=0.5)
    for name, events in platform.advance(START + timedelta(minutes=2)).items():
        assert events.columns == [c.name for c in STREAMS[name].columns]


def test_what_was_lived_through_cannot_be_played() -> None:
    platform = Platform(1, START, pairs=PAIRS[-2:], activity=0.1)
    platform.advance(START + timedelta(minutes=1))
    with pytest.raises(ValueError, match="expected no earlier than 2026-03-02 09:01"):
        ALONE[0].play(platform, START, "attack")


def test_a_scenario_on_the_chain_needs_one() -> None:
    (drain,) = (s for s in SCENARIOS.values() if s.number == 1)
    with pytest.raises(ValueError, match="S1 needs a platform with a chain"):
        drain.play(Platform(1, START), START, "attack")


def test_truth_frames_join() -> None:
    platform = Platform(1, START)
    frames = [s.play(platform, START, "decoy") for s in ALONE]
    assert pl.concat(frames)["scenario"].n_unique() == len(ALONE)
