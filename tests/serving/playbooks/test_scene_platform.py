"""Harm goes on until what is done to the platform stops it, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from serving.playbooks.scene_platform import AbuseScene, FeedScene, StrainScene
from serving.playbooks.scenes import scene_for


def put(platform: httpx.Client, resource: str, state: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": f"{resource} {state}"}
    platform.put(f"admin/{resource}", json=state, headers=headers).raise_for_status()


def test_harm_goes_on_until_the_one_account_is_held_to_less(tmp_path: Path) -> None:
    scene = scene_for("market_abuse", tmp_path, 0)
    assert isinstance(scene, AbuseScene)
    assert scene.onset is not None
    while scene.now <= scene.onset + scene.step:
        scene.live()
    lost = scene.lost()
    assert lost > 0
    put(scene.services["platform"], "keys/somebody", {"per_minute": 30})
    assert not scene.contained()
    account = scene.answer("linked", "accounts")
    put(scene.services["platform"], f"keys/{account}", {"per_minute": 30})
    scene.live()
    assert scene.contained()
    assert scene.lost() == lost


def test_a_feed_harms_nobody_who_reads_another_or_once_it_is_repaired(tmp_path: Path) -> None:
    scene = scene_for("market_data_failure", tmp_path, 0)
    assert isinstance(scene, FeedScene)
    assert not scene.contained()
    feed = scene.harms[0]["entity"].replace("|", "%7C")
    put(scene.services["platform"], f"feeds/{feed}", {"source": "secondary"})
    assert scene.contained()
    put(scene.services["platform"], f"feeds/{feed}", {"source": "primary"})
    assert not scene.contained()
    scene.told("repair")
    for _ in range(14):
        scene.live()
    assert scene.lost() == 0


def test_machines_recover_when_the_query_is_fast_and_load_is_shed(tmp_path: Path) -> None:
    scene = scene_for("performance_degradation", tmp_path, 0)
    assert isinstance(scene, StrainScene)
    while not scene.harmful():
        scene.live()
    assert scene.onset == scene.now
    for resource, state in (
        ("database/queries/slowest", {"state": "killed"}),
        ("gates/trading", {"open": False}),
    ):
        put(scene.services["platform"], resource, state)
    scene.told("roll_back")
    for _ in range(6):
        scene.live()
    assert scene.contained()
