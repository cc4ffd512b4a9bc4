"""A short demonstration from a fresh folder, twice: an attack and its twin, the whole house."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import read_config
from pipeline.lifecycle.enlist import BusyError
from serving.demo import demonstration
from serving.demo_run import once

SHORT: dict[str, Any] = {"seed": 1, "quiet": timedelta(minutes=10), "numbers": {4}}
Result = dict[str, Any]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(home: Path) -> Result:
    return once(home, **SHORT)


def test_an_attack_is_found_and_its_playbook_begun(first: Result) -> None:
    (attack,) = (row for row in first["played"] if row["kind"] == "attack")
    assert (attack["scenario"], attack["found"], attack["stage"]) == ("S4", True, "enumeration")
    assert 0 < attack["delay"] <= 180
    assert attack["pages"] >= 1
    assert "account_takeover" in attack["playbooks"]


def test_its_twin_wakes_nobody(first: Result) -> None:
    (twin,) = (row for row in first["played"] if row["kind"] == "decoy")
    assert twin["pages"] == 0


def test_an_alert_explains_itself(first: Result) -> None:
    alerts = [one["alert"] for one in first["alerts"] if one["alert"]]
    assert alerts
    for alert in alerts:
        assert alert["why"]
        assert alert["first_step"]
        assert alert["arms"]
        assert alert["entity"] in alert["title"]
    assert any(one["truth"].startswith("S4 attack") for one in first["alerts"])


def test_its_playbook_acts(first: Result) -> None:
    done = {s["step"] for one in first["alerts"] for s in one["steps"] if s["state"] == "done"}
    assert "throttle" in done


def test_again_it_begins_from_what_is_known_and_tells_the_same(home: Path, first: Result) -> None:
    (known,) = (home / "seed-1").glob("quiet-*")
    before = known.stat().st_ino
    told: list[str] = []
    again = once(home, **SHORT, progress=lambda step, share: told.append(step))
    assert again == first
    assert "streaming quiet hours" not in told
    assert known.stat().st_ino == before


def test_what_it_left_can_be_served(home: Path, first: Result) -> None:
    config = read_config(home / "seed-1" / "tocsin.yaml")
    assert config.home == home / "seed-1" / "live"
    assert config.home.exists()


def test_two_demonstrations_do_not_share_a_home(home: Path, first: Result) -> None:
    with (
        demonstration(home, **SHORT),
        pytest.raises(BusyError, match="another demonstration"),
        demonstration(home, **SHORT),
    ):
        pass
