"""People in runs: several who sign, what an abort leaves out, what is taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from serving.playbooks.definition import Playbook
from serving.playbooks.people import RunError, approve, sign_off, steer, take_back
from serving.store.keys import Principal, Role
from serving.store.tables import incidents
from tests.serving.playbooks.running import ANN, BOB, INCIDENT, NOON, Drive, playbook

MINUTE = timedelta(minutes=1)
KEY = Principal("key:robot", Role.ADMIN)


def signed_by_two() -> Playbook:
    document = playbook().model_dump(mode="json", by_alias=True)
    document["phases"][1]["steps"][0] |= {"people": 2, "evidence": ["resolution"]}
    return Playbook.model_validate(document)


def test_two_people_sign_and_no_key_does(engine: sa.Engine) -> None:
    drive = Drive(engine, signed_by_two())
    drive.tick(5 * MINUTE)
    written = {"resolution": "mended"}
    with engine.begin() as connection, pytest.raises(RunError, match="is a key"):
        sign_off(connection, drive.run, "look", KEY, written, now=drive.now)
    with engine.begin() as connection:
        sign_off(connection, drive.run, "look", ANN, written, now=drive.now)
    assert drive.states()["look"] == "manual"
    with engine.begin() as connection, pytest.raises(RunError, match="somebody else"):
        sign_off(connection, drive.run, "look", ANN, written, now=drive.now)
    with engine.begin() as connection:
        sign_off(connection, drive.run, "look", BOB, {}, now=drive.now)
    assert drive.states()["look"] == "done"
    assert drive.step("look")["outcome"]["facts"] == written


def test_what_is_signed_off_documents_the_incident(engine: sa.Engine) -> None:
    drive = Drive(engine, signed_by_two())
    row = dict.fromkeys(("group", "title", "severity", "owner", "playbook", "told"), "")
    with engine.begin() as connection:
        times = {"opened_at": NOON, "updated_at": NOON}
        values = {**row, **times, "id": INCIDENT["id"], "state": "open"}
        connection.execute(incidents.insert().values(**values, entities=[], fields={}))
    drive.tick(5 * MINUTE)
    with engine.begin() as connection:
        given = {"resolution": "mended"}
        sign_off(connection, drive.run, "look", ANN, given, now=drive.now)
        fields = connection.execute(sa.select(incidents.c.fields)).scalar_one()
    assert fields == {"resolution": "mended"}


def test_a_key_approves_nothing(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    with engine.begin() as connection, pytest.raises(RunError, match="expected a person"):
        approve(connection, drive.run, "pause", KEY, now=drive.now)


def test_an_aborted_run_that_takes_a_step_back_goes_on_with_nothing_else(
    engine: sa.Engine,
) -> None:
    drive = Drive(engine, playbook())
    drive.tick()
    with engine.begin() as connection:
        steer(connection, drive.run, "abort", BOB, now=drive.now)
        take_back(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick(10 * MINUTE)
    assert drive.states() == {
        "pause": "done",
        "look": "skipped",
        "resume": "skipped",
        "pause_undo": "approval",
    }


def test_a_false_pause_is_taken_back_at_once_and_not_repeated_later(engine: sa.Engine) -> None:
    document = playbook().model_dump(mode="json", by_alias=True)
    again = {**document["phases"][0]["steps"][0], "id": "pause_holds", "undo": ""}
    document["phases"][1]["steps"].append(again)
    drive = Drive(engine, Playbook.model_validate(document))
    drive.tick()
    with engine.begin() as connection:
        take_back(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick()
    with engine.begin() as connection:
        approve(connection, drive.run, "pause_undo", BOB, now=drive.now)
    drive.tick()
    drive.tick(10 * MINUTE)
    assert drive.world["0xvault"] == "on"
    assert drive.states()["pause_holds"] == "skipped"


def test_time_to_act_begins_with_the_approval(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m"), evidence={"exact": False})
    drive.tick()
    drive.tick(60 * MINUTE)
    drive.off.faults = 1
    with engine.begin() as connection:
        approve(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick()
    assert drive.states()["pause"] == "acting"
    drive.tick(timedelta(seconds=30))
    assert drive.states()["pause"] == "done"
