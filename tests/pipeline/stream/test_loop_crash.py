"""A loop killed at any instant ends with the lake, scores and checkpoint of one left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.catalogue import STREAMS
from tests.crash import assert_same, kill_until_done, timed
from tests.streams import write_events

FEW = {"trades": 800, "disk": 800}


@pytest.mark.parametrize(
    ("counts", "batch", "kills"),
    [
        (FEW, 100, 3),
        pytest.param(dict.fromkeys(STREAMS, 10_000), 100, 100, marks=pytest.mark.slow),
    ],
    ids=["3-kills", "100-kills-on-all-streams"],
)
def test_a_killed_loop_leaves_what_an_undisturbed_one_leaves(
    tmp_path: Path, counts: dict[str, int], batch: int, kills: int
) -> None:
    events = tmp_path / "events"
    write_events(events, counts)
    seconds = timed(tmp_path / "undisturbed", events, batch)
    longest = min(2 * seconds / kills, seconds / 2)
    killed = homes = 0
    while killed < kills:
        home, homes = tmp_path / f"home-{homes}", homes + 1
        killed += kill_until_done(
            home, events, batch, kills=kills - killed, seconds=longest, seed=homes
        )
        assert_same(home, tmp_path / "undisturbed")
