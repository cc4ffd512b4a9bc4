"""Intruders are stopped account by account or at the door; an insider and the friend, each."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.playbooks.scene_people import InsiderScene, TakeoverScene
from serving.playbooks.scenes import scene_for
from tests.serving.playbooks.test_scene_platform import put


def test_who_got_in_is_known_when_they_are_in_and_a_fresh_factor_shuts_them_out(
    tmp_path: Path,
) -> None:
    scene = scene_for("account_takeover", tmp_path, 0)
    assert isinstance(scene, TakeoverScene)
    assert scene.answer("linked", "accounts") == ""
    while not (victims := scene.answer("linked", "accounts")):
        scene.live()
    for account in victims.split(", "):
        put(scene.services["platform"], f"accounts/{account}", {"frozen": True})
        assert scene.frozen(account)
    assert not scene.contained()  # more of them will follow
    scene.told("step_up")
    assert scene.contained()
    assert scene.lost() == 0


@pytest.mark.slow
def test_the_export_and_the_trade_are_stopped_each_by_its_account(tmp_path: Path) -> None:
    scene = scene_for("insider_tampering", tmp_path, 0)
    assert isinstance(scene, InsiderScene)
    windows = scene.live()["access.account_5m"]
    assert windows["end"].is_sorted()
    friend = scene.answer("reach", "accounts")
    person = scene.harms[0]["entity"]
    assert friend != person
    put(scene.services["platform"], f"accounts/{person}", {"frozen": True})
    assert not scene.contained()
    put(scene.services["platform"], f"accounts/{friend}", {"frozen": True})
    assert scene.contained()
