"""The registry's champions in the loop: loaded when they are new, never shared, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.lifecycle.enlist import open_registry
from pipeline.stream.adopt import OK, THRESHOLDS, from_registry
from tests.pipeline.lifecycle.retraining import VIEW, copied, shared_home


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_home(tmp_path_factory)


def test_a_champion_is_loaded_once_until_there_is_another(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copied(shared, tmp_path / "home")
    models = from_registry(open_registry(home, None), home)
    first = models(VIEW)
    assert (first.model, first.state) == ("version 1", OK)
    monkeypatch.setattr("pipeline.stream.adopt.champion", lambda *_: pytest.fail("loaded again"))
    assert models(VIEW) is first


def test_who_takes_a_champion_up_has_a_scorer_of_its_own(tmp_path: Path, shared: Path) -> None:
    home = copied(shared, tmp_path / "home")
    found = from_registry(open_registry(home, None), home)(VIEW)
    assert found.load is not None
    assert found.load() is not found.load()


def test_a_registry_that_is_down_leaves_what_is_kept_or_thresholds(
    tmp_path: Path, shared: Path
) -> None:
    home = copied(shared, tmp_path / "home")
    models = from_registry(open_registry(home, None), home)
    models(VIEW)
    down = open_registry(home, "http://127.0.0.1:9")
    kept = from_registry(down, home)(VIEW)
    assert kept.state == "degraded: last known champion"
    empty = tmp_path / "empty"
    empty.mkdir()
    assert from_registry(down, empty)(VIEW).state == THRESHOLDS
