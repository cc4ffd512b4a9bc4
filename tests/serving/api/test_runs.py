"""Playbook runs over HTTP: people decide, keys do not approve."""

from __future__ import annotations

from typing import Any

import pytest

from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.store.keys import Role
from tests.serving.api.calling import Caller
from tests.serving.playbooks.running import ALERT, INCIDENT, Switch, playbook


@pytest.fixture
def run(call: Caller) -> str:
    """A run of which the first step waits for a person."""
    engine = call.house.engine
    with engine.begin() as connection:
        book = playbook(kind="approval")
        found = start(connection, book, INCIDENT, ALERT, now=call.now)
    actions: Any = {"switch.off": Switch(), "switch.on": Switch("switch.on")}
    Runner(engine, actions, who="test").tick(now=call.now)
    return found


def test_a_run_is_listed_and_shown_with_its_steps(call: Caller, run: str) -> None:
    (listed,) = call.get("/v1/runs", params={"state": "running"}, role=Role.VIEWER)["items"]
    assert (listed["id"], "definition" in listed) == (run, False)
    whole = call.get(f"/v1/runs/{run}")
    assert whole["steps"][0]["state"] == "approval"
    assert call("GET", "/v1/runs/none").status_code == 404
    assert call.get("/v1/playbooks")


def test_a_person_approves_and_a_key_does_not(call: Caller, run: str) -> None:
    path = f"/v1/runs/{run}/steps/pause/approve"
    assert call("POST", path).status_code == 409
    cookie, csrf = call.person("ann", Role.RESPONDER)
    headers = {"Cookie": f"tocsin_session={cookie}", "x-csrf-token": csrf}
    answer = call("POST", path, role=None, headers=headers)
    assert answer.json()["state"] == "approved"
    assert answer.json()["approvals"][0]["who"] == "ann"


def test_a_run_is_stopped_for_a_while_and_ended(call: Caller, run: str) -> None:
    states = [call.post(f"/v1/runs/{run}/{what}")["state"] for what in ("pause", "resume")]
    assert states == ["paused", "running"]
    assert call.post(f"/v1/runs/{run}/abort")["state"] == "aborted"
    assert call("POST", f"/v1/runs/{run}/pause").status_code == 409


def test_a_step_is_left_out_with_a_reason_and_signed_off_with_evidence(
    call: Caller, run: str
) -> None:
    steps = f"/v1/runs/{run}/steps"
    assert call("POST", f"{steps}/pause/skip", json={"why": ""}).status_code == 422
    assert call.post(f"{steps}/pause/skip", {"why": "not needed"})["state"] == "skipped"
    assert call("POST", f"{steps}/look/sign-off", json={"evidence": {}}).status_code == 409
    assert call("POST", f"{steps}/nothing/approve").status_code == 404
    assert call("POST", f"{steps}/pause/take-back").status_code == 409
