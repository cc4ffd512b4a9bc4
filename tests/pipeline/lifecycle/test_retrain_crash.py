"""Runs that race or are killed make one challenger, and a champion always serves."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.lifecycle.champion import SETTLED, champion
from tests.pipeline.lifecycle.retraining import NOW, VIEW, Runner, copied, retraining, shared_home

DONE = ("promoted", "not due", "unchanged")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_home(tmp_path_factory)


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    runner = Runner()
    yield runner
    runner.stop()


@pytest.fixture(scope="module")
def length(one: Path, runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Seconds that a run takes when nobody kills it."""
    home = copied(one, tmp_path_factory.mktemp("whole") / "home")
    start = time.monotonic()
    runner.begin(home)
    assert runner.ended() == ["promoted"]
    return time.monotonic() - start


def kill_somewhere(runner: Runner, home: Path, within: float) -> None:
    (number,) = runner.begin(home)
    if runner.ended(within) is None:
        os.kill(number, signal.SIGKILL)
        assert runner.ended() in (["killed"], ["promoted"])


def check_killed(one: Path, folder: Path, runner: Runner, length: float, attempts: int) -> None:
    rng = random.Random(attempts)
    cut_short = 0
    for attempt in range(attempts):
        home = copied(one, folder / str(attempt))
        # Spread evenly over the run, so that few attempts meet all of its parts.
        kill_somewhere(runner, home, length * (attempt + rng.random()) / attempts)
        job = retraining(home)
        assert champion(VIEW, job.registry, home).state == "ok"
        cut_short += len(job.registry.versions(VIEW.name)) == 1
        assert job.run(VIEW, now=NOW, due_only=True).what in DONE
        versions = job.registry.versions(VIEW.name)
        assert [version.number for version in versions] == [1, 2]
        assert all(version.tags[SETTLED] == "yes" for version in versions)
        served = champion(VIEW, job.registry, home)
        assert (served.state, served.version) == ("ok", 2)
        # Who dies between the intent and the act leaves the intent in the trail.
        assert [change.after for change in job.registry.changes(VIEW.name)] in ([1, 2], [1, 2, 2])
    assert cut_short


def test_killed_anywhere_the_champion_serves_and_the_next_run_succeeds(
    one: Path, tmp_path: Path, runner: Runner, length: float
) -> None:
    check_killed(one, tmp_path, runner, length, 5)


@pytest.mark.slow
def test_killed_anywhere_twenty_times(
    one: Path, tmp_path: Path, runner: Runner, length: float
) -> None:
    check_killed(one, tmp_path, runner, length, 20)


@pytest.mark.slow
def test_killed_while_the_database_is_made_the_next_run_makes_it(
    one: Path, tmp_path: Path, runner: Runner, length: float
) -> None:
    rng = random.Random(1)
    for attempt in range(5):
        home = tmp_path / str(attempt)
        shutil.copytree(one / "lake", home / "lake")
        kill_somewhere(runner, home, rng.uniform(0, 2 * length))
        job = retraining(home)
        assert job.run(VIEW, now=NOW, due_only=True).what in DONE
        assert len(job.registry.versions(VIEW.name)) == 1
        assert champion(VIEW, job.registry, home).state == "ok"


def test_two_processes_at_once_make_one_challenger(
    one: Path, tmp_path: Path, runner: Runner
) -> None:
    home = copied(one, tmp_path / "home")
    runner.begin(home, home)
    told = runner.ended()
    assert told is not None
    assert told.count("promoted") == 1
    assert set(told) <= {"promoted", "busy", "not due"}
    versions = retraining(home).registry.versions(VIEW.name)
    assert [version.number for version in versions] == [1, 2]
