"""A loop killed at any instant ends with the lake, scores and checkpoint of one left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from features.catalogue import STREAMS, VIEWS
from pipeline.lake import Lake
from pipeline.lake.schema import SCORES
from tests.crash import (
    assert_same,
    kill_until_done,
    kills,
    replay_on_a_full_disk,
    replay_with_a_locked_database,
    timed,
)
from tests.day import record
from tests.streams import write_events

KILLS = 100
BATCH = 1_000
LOCKED = 10.0


def test_a_killed_loop_leaves_what_an_undisturbed_one_leaves(tmp_path: Path) -> None:
    events = tmp_path / "events"
    write_events(events, {"trades": 800, "disk": 800})
    seconds = timed(tmp_path / "undisturbed", events, 100)
    killed = homes = 0
    while killed < 3:
        home, homes = tmp_path / f"home-{homes}", homes + 1
        most = 3 - killed
        killed += kill_until_done(home, events, 100, most=most, seconds=seconds / 2, seed=homes)
        assert_same(home, tmp_path / "undisturbed")


@pytest.mark.slow
def test_a_day_of_all_streams_killed_a_hundred_times_with_disk_and_database_failing(
    tmp_path: Path,
) -> None:
    events, undisturbed = tmp_path / "events", tmp_path / "undisturbed"
    record(events)
    broken = events / "disk" / "001.parquet"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    seconds = timed(undisturbed, events, BATCH)
    lake = Lake(undisturbed / "lake")
    assert {*VIEWS, *(f"{SCORES}{name}" for name in VIEWS)} <= {*lake.tables()}
    assert {path.name for path in events.iterdir()} == STREAMS.keys()
    aside = lake.scan("aside/disk").select("kind", "row").collect()
    assert aside.rows() == [("refused", "001.parquet: the file")]

    chance = random.Random(0)
    killed = homes = 0
    while killed < KILLS:
        home, homes = tmp_path / f"home-{homes}", homes + 1
        for _ in kills(
            home, events, BATCH, most=KILLS - killed, seconds=seconds / 20, chance=chance
        ):
            killed += 1
            if killed == 10:
                replay_on_a_full_disk(home, events, BATCH)
            if killed == 20:
                replay_with_a_locked_database(home, events, BATCH, LOCKED)
        timed(home, events, BATCH)
        assert_same(home, undisturbed)
        print(f"home {homes}: {killed} kills")
