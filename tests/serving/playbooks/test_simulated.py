"""The simulated platform keeps the laws that a real one must keep."""

from __future__ import annotations

from serving.playbooks.simulated import SimulatedPlatform

KEY = {"Idempotency-Key": "k"}


def test_a_key_has_one_effect_and_cannot_be_used_for_another() -> None:
    seen: list[str] = []
    platform = SimulatedPlatform(on_change=lambda resource, state: seen.append(resource))
    with platform.client() as client:
        for _ in range(2):
            answer = client.put("/admin/markets/X", json={"halted": True}, headers=KEY)
            assert answer.json() == {"halted": True}
        assert client.put("/admin/markets/Y", json={}, headers=KEY).status_code == 422
    assert [one.resource for one in platform.log] == seen == ["markets/X"]


def test_what_is_not_known_or_not_asked_rightly_is_refused() -> None:
    platform = SimulatedPlatform()
    with platform.client() as client:
        assert client.get("/admin/nothing").status_code == 404
        assert client.put("/admin/deploys", json={"frozen": True}).status_code == 400
        assert client.get("/admin/deploys", headers={"Authorization": ""}).status_code == 401
    assert platform.log == []
