"""A vault that is drained until somebody pauses it."""

from __future__ import annotations

from pathlib import Path

from serving.playbooks.scene_chain import ChainScene, chain_services


def test_the_vault_loses_until_it_is_paused(tmp_path: Path) -> None:
    scene = ChainScene(tmp_path, 0)
    while scene.onset is None:
        windows = scene.live()
    reserves = windows["transactions.address_12s"]["reserves_minus_liabilities"]
    assert any(reserves.drop_nulls() < 0)
    lost = scene.lost()
    scene.world.ledger.send(scene.world.wallet("guardian"), scene.vault, "pause", tip=10**10)
    scene.live()
    assert scene.contained()
    for _ in range(3):
        assert scene.live() == {}
    assert scene.lost() == lost > 0


def test_the_guardian_of_the_scene_can_only_pause(tmp_path: Path) -> None:
    scene = ChainScene(tmp_path, 0)
    services = chain_services(scene.world, tmp_path)
    assert services["chain"].ask(scene.vault.address, "paused()", at="finalized") == 0
