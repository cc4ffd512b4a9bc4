"""Playbook runs over HTTP: people decide, keys do not approve."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from serving.playbooks.runner import Runner
from serving.playbooks.start import start
from serving.store.keys import Role
from serving.store.tables import run_steps
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


def test_a_person_approves_a_step_of_all_runs_of_an_incident(call: Caller, run: str) -> None:
    engine = call.house.engine
    with engine.begin() as connection:
        alert = {**ALERT, "entity": "0xother"}
        other = start(connection, playbook(kind="approval"), INCIDENT, alert, now=call.now)
        elsewhere = start(connection, playbook(), {"id": "another"}, alert, now=call.now)
        asked = run_steps.update().where(run_steps.c.step == "pause")
        connection.execute(asked.values(state="approval", people=1, effect="contain"))
    path = f"/v1/runs/{run}/steps/pause/approve-all"
    assert call("POST", path).status_code == 409
    cookie, csrf = call.person("ann", Role.RESPONDER)
    headers = {"Cookie": f"tocsin_session={cookie}", "x-csrf-token": csrf}
    answer = call("POST", path, role=None, headers=headers)
    assert {row["run"]: row["state"] for row in answer.json()} == dict.fromkeys(
        (run, other), "approved"
    )
    assert call.get(f"/v1/runs/{elsewhere}")["steps"][0]["state"] == "approval"
    assert call("POST", path, role=None, headers=headers).status_code == 409


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


def test_a_step_that_failed_is_tried_again_and_only_an_admin_breaks_the_glass(
    call: Caller, run: str
) -> None:
    steps = f"/v1/runs/{run}/steps"
    assert call("POST", f"{steps}/pause/retry").status_code == 409
    with call.house.engine.begin() as connection:
        connection.execute(
            sa.update(run_steps).where(run_steps.c.step == "look").values(state="failed")
        )
    assert call.post(f"{steps}/look/retry")["state"] == "waiting"
    why = {"why": "it loses money now"}
    refused = call("POST", f"{steps}/pause/force", json=why, role=Role.RESPONDER)
    assert refused.status_code == 403
    assert call("POST", f"{steps}/pause/force", json=why).status_code == 409  # a key is no person
    cookie, csrf = call.person("root", Role.ADMIN)
    headers = {"Cookie": f"tocsin_session={cookie}", "x-csrf-token": csrf}
    forced = call("POST", f"{steps}/pause/force", role=None, headers=headers, json=why)
    assert (forced.json()["state"], forced.json()["approvals"][0]["who"]) == ("approved", "root")


def test_a_signed_link_approves_once_as_its_person_and_then_expires(call: Caller, run: str) -> None:
    path = f"/v1/runs/{run}/steps/pause/link"
    assert call("POST", path).status_code == 409  # keys approve nothing
    cookie, csrf = call.person("ann", Role.RESPONDER)
    headers = {"Cookie": f"tocsin_session={cookie}", "x-csrf-token": csrf}
    given = call("POST", path, role=None, headers=headers).json()
    door, token = given["url"].rsplit("/", 1)
    assert door == f"{call.house.settings.url}/approve"
    there = f"v1/approvals/{token}"
    seen = call("GET", f"/{there}", role=None).json()
    assert (seen["run"], seen["step"], seen["person"]) == (run, "pause", "ann")
    assert (seen["state"], seen["people"], seen["approvals"]) == ("approval", 1, [])
    assert call.get(f"/v1/runs/{run}")["steps"][0]["state"] == "approval"
    assert call("POST", f"/{there}x", role=None).status_code == 409
    approved = call("POST", f"/{there}", role=None).json()
    assert (approved["state"], approved["approvals"][0]["who"]) == ("approved", "ann")
    assert call("POST", f"/{there}", role=None).status_code == 409
    call.now += timedelta(hours=2)
    late = call("GET", f"/{there}", role=None)
    assert late.status_code == 409
    assert "expired" in late.json()["detail"]
