"""Off the book: a step tried again keeps its one effect; broken glass is heard by everyone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from serving.playbooks.overrule import force, retry
from serving.playbooks.people import RunError, skip, steer
from serving.store.keys import Principal, Role
from serving.store.tables import audit, outbox, users
from tests.serving.playbooks.running import ANN, BOB, NOON, Drive, playbook

MINUTE = timedelta(minutes=1)


def test_what_has_begun_is_tried_again_with_the_intent_that_it_had(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m"))
    drive.off.faults = 1_000
    for _ in range(5):
        drive.tick(MINUTE)
    assert drive.states()["pause"] == "failed"
    intent = drive.step("pause")["intent"]
    drive.off.faults = 0
    with engine.begin() as connection:
        retry(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick()
    assert drive.states()["pause"] == "done"
    assert drive.step("pause")["intent"] == intent
    assert len(drive.world["calls"]) == 1
    with engine.begin() as connection, pytest.raises(RunError, match="expected one that failed"):
        retry(connection, drive.run, "pause", BOB, now=drive.now)


def test_a_run_that_was_done_runs_again_for_a_step_that_failed(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m"))
    drive.off.faults = 1_000
    for _ in range(5):
        drive.tick(MINUTE)
    others = set(drive.states()) - {"pause"}
    with engine.begin() as connection:
        for name in others:
            skip(connection, drive.run, name, BOB, "not needed", now=drive.now)
    drive.tick()
    assert drive.state() == "done"
    drive.off.faults = 0
    with engine.begin() as connection:
        retry(connection, drive.run, "pause", BOB, now=drive.now)
    drive.tick()
    assert (drive.states()["pause"], drive.state()) == ("done", "done")


def test_what_an_aborted_run_left_is_not_tried_again(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(timeout="1m"))
    drive.off.faults = 1_000
    for _ in range(5):
        drive.tick(MINUTE)
    with engine.begin() as connection:
        steer(connection, drive.run, "abort", BOB, now=drive.now)
        with pytest.raises(RunError, match="was aborted"):
            retry(connection, drive.run, "pause", BOB, now=drive.now)


def test_an_admin_breaks_the_glass_and_everyone_hears(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    with engine.begin() as connection:
        for name in ("ann", "zoe"):
            row = {"name": name, "password_hash": "x", "role": "admin", "created_at": NOON}
            connection.execute(users.insert().values(**row))
    drive.tick()
    with engine.begin() as connection:
        force(connection, drive.run, "pause", ANN, "it is real", now=drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "off"
    with engine.connect() as connection:
        told = [row.payload["detail"] for row in connection.execute(sa.select(outbox))]
        recorded = connection.execute(sa.select(audit.c.what)).scalars().all()
    assert {one["audience"] for one in told if one.get("forced")} == {"admins", "ann", "zoe"}
    assert "run.forced" in recorded


@pytest.mark.parametrize(
    ("who", "why", "said"),
    [
        (BOB, "it is real", "expected an admin"),
        (ANN, " ", "without a reason"),
        (Principal("key:ann", Role.ADMIN), "it is real", "expected a person"),
    ],
)
def test_the_glass_is_not_broken_by_just_anyone(
    engine: sa.Engine, who: Principal, why: str, said: str
) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    with engine.begin() as connection, pytest.raises(RunError, match=said):
        force(connection, drive.run, "pause", who, why, now=drive.now)
    drive.tick()
    assert drive.world == {}


def test_nobody_forces_what_lets_go(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(action="switch.on"))
    drive.tick()
    assert drive.states()["pause"] == "approval"
    with engine.begin() as connection, pytest.raises(RunError, match="nobody forces"):
        force(connection, drive.run, "pause", ANN, "hurry", now=drive.now)
