"""Retraining does what is due once, leaves incidents out, and never replaces by what is worse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from models.registry import Registry, RegistryError, Version
from pipeline.lifecycle import retrain
from pipeline.lifecycle.champion import SETTLED, champion
from pipeline.lifecycle.enlist import BusyError, exclusive
from pipeline.lifecycle.incidents import INCIDENT
from pipeline.lifecycle.promotion import Decision, Gate
from tests.pipeline.lifecycle.retraining import (
    FIRST,
    NOON,
    NOW,
    THEN,
    VIEW,
    copied,
    made_up,
    retraining,
    shared_home,
)

REFUSED = Decision((Gate("delay", False, 9.0, 5.0),))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_home(tmp_path_factory)


@pytest.fixture
def home(one: Path, tmp_path: Path) -> Path:
    """A home whose lake has grown since its champion was trained."""
    return copied(one, tmp_path / "home")


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrain, "judge", lambda *figures, budget: REFUSED)


def newest(home: Path) -> Version:
    return retraining(home).registry.versions(VIEW.name)[-1]


def served(home: Path) -> tuple[str, int | None]:
    found = champion(VIEW, retraining(home).registry, home)
    return found.state, found.version


def test_the_first_model_that_is_trained_is_champion(home: Path) -> None:
    assert served(home) == ("ok", 1)
    assert newest(home).tags["why"] == "the first model"
    assert newest(home).tags["until"] == made_up(0, FIRST)["end"][-1].isoformat()


def test_training_again_by_hand_makes_a_challenger_once(home: Path) -> None:
    path = home / "models" / f"{VIEW.name}.npz"
    for what in ("kept", "unchanged"):
        path.unlink()
        outcome = retraining(home).train(VIEW, now=NOW)[1]
        assert (outcome.what, outcome.version) == (what, 2)
        assert path.exists()
    assert served(home) == ("ok", 1)


def test_training_without_mlflow_keeps_the_file_and_says_so(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    path = home / "models" / f"{VIEW.name}.npz"
    path.unlink()
    assert retraining(home, "http://127.0.0.1:9").train(VIEW, now=NOW)[1].what == "unreachable"
    assert path.exists()


def test_a_challenger_that_is_not_worse_takes_over(home: Path) -> None:
    outcome = retraining(home).run(VIEW, now=NOW)
    assert (outcome.what, outcome.version) == ("promoted", 2)
    assert served(home) == ("ok", 2)
    tags = newest(home).tags
    cut = made_up(0, FIRST + THEN)["start"][int(0.8 * (FIRST + THEN))]
    assert tags["until"] == cut.isoformat()
    assert tags["lake_windows"] == str(FIRST + THEN)
    assert tags["lake_version"] == str(retraining(home).lake.version(VIEW.name))


def test_the_decision_is_kept_with_all_its_figures(home: Path) -> None:
    from mlflow import MlflowClient

    retraining(home).run(VIEW, now=NOW)
    run = MlflowClient(retraining(home).registry.uri).get_run(newest(home).run)
    for who in ("champion", "challenger"):
        for figure in ("found", "alerts_per_day", "calibration", "microseconds_per_window"):
            assert f"{who}.{figure}" in run.data.metrics
    gates = {name for name in run.data.metrics if name.startswith("passed.")}
    assert len(gates) == 6
    assert run.data.tags["decision"] == "promote"
    assert run.data.params["seed"] == "0"


@pytest.mark.usefixtures("refusing")
def test_a_challenger_that_is_worse_is_kept_and_not_tried_again_at_once(home: Path) -> None:
    job = retraining(home)
    outcome = job.run(VIEW, now=NOW)
    assert (outcome.what, outcome.version) == ("kept", 2)
    assert outcome.why == "delay failed: 9 against 5"
    assert served(home) == ("ok", 1)
    assert job.registry.aliases(VIEW.name) == {"champion": 1, "challenger": 2}
    job.lake.append(VIEW.name, made_up(FIRST + THEN, 300))
    again = job.run(VIEW, now=NOW + timedelta(hours=1), due_only=True)
    assert again.what == "not due"


def test_the_same_again_makes_no_version(home: Path) -> None:
    job = replace(retraining(home), seed=4)
    assert [job.run(VIEW, now=NOW).what for _ in range(2)] == ["promoted", "unchanged"]
    assert newest(home).number == 2


def test_due_is_what_is_old_or_outgrown(home: Path) -> None:
    job = retraining(home)
    job.run(VIEW, now=NOW)

    def due(hours: float) -> str:
        return job.run(VIEW, now=NOW + timedelta(hours=hours), due_only=True).what

    assert due(1000) == "not due"
    job.lake.append(VIEW.name, made_up(FIRST + THEN, 600))
    assert due(23.9) == "not due"
    assert due(24) == "promoted"
    job.lake.append(VIEW.name, made_up(FIRST + THEN + 600, 1_500))
    assert due(24.1) == "promoted"


def test_too_little_that_is_new_is_not_judged_on(one: Path, tmp_path: Path) -> None:
    job = retraining(copied(one, tmp_path / "home"))
    job.train(VIEW, now=NOW)
    job.registry.appoint(newest(job.home), kind="promote", who="ann", when=NOW, why="by hand")
    job.lake.append(VIEW.name, made_up(FIRST + THEN, 900))
    outcome = job.run(VIEW, now=NOW)
    assert (outcome.what, newest(job.home).number) == ("not due", 2)
    assert "900 windows" in outcome.why


def test_windows_of_incidents_are_not_learned(home: Path) -> None:
    times = [NOON, NOON + 100 * VIEW.every]
    known = pl.DataFrame([["B", *times]], schema=INCIDENT, orient="row")
    replace(retraining(home), incidents=known).run(VIEW, now=NOW)
    assert int(newest(home).tags["windows"]) == int(0.8 * (FIRST + THEN)) - 100


def test_a_view_that_cannot_be_learned_is_unusable_and_others_go_on(tmp_path: Path) -> None:
    job = retraining(tmp_path)
    outcome = job.run(VIEW, now=NOW)
    assert outcome.what == "unusable"
    assert "is not in the lake" in outcome.why
    job.lake.append(VIEW.name, made_up(0, 1_500))
    assert [o.what for o in job.run_all([], clock=lambda: NOW)] == ["not due"]


def test_a_champion_that_cannot_be_loaded_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (home / "models" / VIEW.name).glob("*.npz"):
        path.unlink()
    whole = Registry.fetch

    def fetch(registry: Registry, version: Version, to: Path) -> None:
        whole(registry, version, to)
        if version.number == 1:
            to.write_bytes(b"damaged")

    monkeypatch.setattr(Registry, "fetch", fetch)
    outcome = retraining(home).run(VIEW, now=NOW)
    assert outcome.what == "promoted"
    assert outcome.why.startswith("nothing to beat: ")
    assert served(home) == ("ok", 2)


def test_a_server_that_is_down_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert retraining(home, "http://127.0.0.1:9").run(VIEW, now=NOW).what == "unreachable"


@pytest.mark.parametrize("dies_in", ["appoint", "tag"])
def test_what_a_run_left_unfinished_is_finished_by_the_next(
    home: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    def die(*given: object, **named: object) -> None:
        raise RegistryError("died")

    with monkeypatch.context() as patch:
        patch.setattr(Registry, dies_in, die)
        assert retraining(home).run(VIEW, now=NOW).what == "unreachable"
    assert SETTLED not in newest(home).tags
    outcome = retraining(home).run(VIEW, now=NOW, due_only=True)
    assert (outcome.what, outcome.version) == ("promoted", 2)
    assert newest(home).tags[SETTLED] == "yes"
    assert [c.after for c in retraining(home).registry.changes(VIEW.name)] == [1, 2]
    assert retraining(home).run(VIEW, now=NOW, due_only=True).what == "not due"


@pytest.fixture
def held(home: Path) -> Iterator[None]:
    with exclusive(home, VIEW):
        yield


@pytest.mark.usefixtures("held")
def test_while_the_lock_is_held_nothing_is_done(home: Path) -> None:
    assert retraining(home).run(VIEW, now=NOW).what == "busy"
    assert retraining(home).train(VIEW, now=NOW)[1].what == "busy"
    with pytest.raises(BusyError, match="another run holds the lock"), exclusive(home, VIEW):
        pass
    assert newest(home).number == 1
