"""What a step waits for: steps, phases, gates."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from serving.playbooks.definition import Playbook
from serving.playbooks.overrule import retry
from serving.playbooks.people import approve, sign_off
from serving.playbooks.waiting import END, Turn, outline, turn
from serving.store.tables import outbox
from tests.serving.playbooks.running import ANN, BOB, NOON, Drive, playbook

MINUTE = timedelta(minutes=1)


def gated() -> Playbook:
    """Open at 10 %, hold, open at 100 %; shut again if it does not hold."""
    document = playbook().model_dump(mode="json", by_alias=True)
    step = {"kind": "approval", "action": "switch.on", "with": {"what": "door"}, "owner": "ops"}
    document["phases"] = [
        {
            "title": "Ramp",
            "at": "T+0",
            "steps": [
                {"id": "open", "title": "Open", **step},
                {
                    "id": "hold",
                    "title": "Hold",
                    "kind": "automatic",
                    "action": "switch.off",
                    "with": {"what": "{gate}"},
                    "after": ["open"],
                    "otherwise": "shut",
                },
                {"id": "wider", "title": "Wider", **step, "after": ["hold"]},
                {
                    "id": "shut",
                    "title": "Shut",
                    "kind": "automatic",
                    "action": "switch.off",
                    "with": {"what": "door"},
                },
            ],
        }
    ]
    document["parameters"] = {"gate": "{test}"}
    return Playbook.model_validate(document)


def opened(drive: Drive) -> None:
    drive.tick()
    with drive.engine.begin() as connection:
        approve(connection, drive.run, "open", ANN, now=drive.now)
    drive.tick()


def test_what_follows_a_gate_that_failed_waits_and_the_other_way_is_taken(
    engine: sa.Engine,
) -> None:
    drive = Drive(engine, gated())
    opened(drive)
    drive.tick(MINUTE)
    assert drive.states() == {"open": "done", "hold": "failed", "wider": "waiting", "shut": "done"}
    assert drive.world["door"] == "off"
    drive.tick(24 * 60 * MINUTE)
    assert drive.states()["wider"] == "waiting"
    assert drive.state() == "running"


def test_a_gate_that_holds_lets_on_and_its_other_way_is_not_needed(engine: sa.Engine) -> None:
    drive = Drive(engine, gated(), labels={"test": "gate"})
    opened(drive)
    drive.tick(MINUTE)
    assert drive.states() == {
        "open": "done",
        "hold": "done",
        "wider": "approval",
        "shut": "skipped",
    }
    assert drive.step("shut")["why"] == "not needed: hold did not fail"


def test_a_gate_tried_again_asks_again_for_what_it_judges(engine: sa.Engine) -> None:
    drive = Drive(engine, gated())
    opened(drive)
    drive.tick(MINUTE)
    with drive.engine.begin() as connection:
        retry(connection, drive.run, "hold", BOB, now=drive.now)
    drive.tick()
    assert drive.states() == {
        "open": "approval",
        "hold": "waiting",
        "wider": "waiting",
        "shut": "waiting",
    }
    with drive.engine.begin() as connection:
        approve(connection, drive.run, "open", ANN, now=drive.now)
    drive.tick()
    drive.tick()
    # Another effect under another key, and the fallback acted again too.
    assert [key.partition(":")[2] for key in drive.world["calls"]] == [
        "open", "shut", "open~1", "shut~1",
    ]  # fmt: skip


def test_recovery_is_due_from_when_all_before_is_over(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    with drive.engine.begin() as connection:
        sign_off(connection, drive.run, "look", BOB, {"seen": "yes"}, now=drive.now + 60 * MINUTE)
    drive.tick(61 * MINUTE)
    assert drive.step("resume")["due_at"] == drive.now - MINUTE
    with drive.engine.connect() as connection:
        told = [row.dedup_key for row in connection.execute(sa.select(outbox))]
    assert not any("resume:overdue" in key for key in told)


def test_nothing_is_a_turn_while_something_is_not_over(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    with drive.engine.connect() as connection:
        _, book, rows = outline(connection, drive.run)
    assert turn(book, NOON, rows, "resume") is None
    assert turn(book, NOON, rows, "pause") == Turn(NOON)
    assert set(END) == {"done", "failed", "skipped"}
