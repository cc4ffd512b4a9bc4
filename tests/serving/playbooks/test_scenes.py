"""Made-up incidents: harm goes on until something stops it, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.playbooks.definition import load_library
from serving.playbooks.scenes import SCENES, PlatformScene, StrainScene, scene_for


def test_scenes_are_of_playbooks_that_exist() -> None:
    assert set(SCENES) <= set(load_library())
    with pytest.raises(KeyError):
        scene_for("gone", Path(), 0)


def test_harm_goes_on_until_the_account_is_held_to_less(tmp_path: Path) -> None:
    scene = scene_for("market_abuse", tmp_path, 0)
    assert isinstance(scene, PlatformScene)
    for _ in range(14):
        scene.live()
    lost = scene.lost()
    assert scene.onset is not None
    assert lost > 0
    headers = {"Idempotency-Key": "k"}
    platform = scene.services["platform"]
    platform.put("admin/keys/somebody", json={"per_minute": 30}, headers=headers)
    scene.live()
    assert scene.contained()
    assert scene.lost() == lost


def test_machines_recover_when_the_query_is_fast_and_load_is_shed(tmp_path: Path) -> None:
    scene = scene_for("performance_degradation", tmp_path, 0)
    assert isinstance(scene, StrainScene)
    while not scene.harmful():
        scene.live()
    platform = scene.services["platform"]
    for resource, state in (
        ("database/queries/slowest", {"state": "killed"}),
        ("gates/trading", {"open": False}),
    ):
        headers = {"Idempotency-Key": resource}
        platform.put(f"admin/{resource}", json=state, headers=headers)
    scene.told("roll_back")
    for _ in range(6):
        scene.live()
    assert scene.contained()
