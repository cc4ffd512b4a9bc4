"""The crew of a drill: people by a script, and people at a terminal."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from serving.playbooks.crew import REACTION, Crew, asked, scripted
from tests.serving.playbooks.running import Drive, playbook

MINUTE = timedelta(minutes=1)


def decide(drive: Drive, crew: Crew, name: str) -> None:
    """Have the crew look at one step of the small playbook."""
    step, row = next(step for _, step in playbook().steps if step.id == name), drive.step(name)
    with drive.engine.begin() as connection:
        crew(connection, drive.run, row, step, drive.now)


def test_people_at_a_terminal_decide(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    said: list[str] = []

    def yes(question: str) -> bool:
        said.append(question)
        return True

    crew = asked(yes, lambda question: "seen it")
    step, row = next(step for _, step in playbook().steps), drive.step("pause")
    with engine.begin() as connection:
        crew(connection, drive.run, row, step, drive.now)
    drive.tick()
    assert drive.world["0xvault"] == "off"
    assert "approve as drill:ann?" in said[0]


def test_what_is_refused_at_a_terminal_is_left_out(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook(), evidence={"exact": False})
    drive.tick()
    decide(drive, asked(lambda question: False, str), "pause")
    assert drive.states()["pause"] == "skipped"
    assert drive.step("pause")["why"] == "not approved in the drill"


@pytest.mark.parametrize(("written", "state"), [("", "manual"), ("gap", "done")])
def test_scripted_people_sign_when_there_is_something_to_write(
    engine: sa.Engine, written: str, state: str
) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    crew = scripted(lambda step, name: written)
    decide(drive, crew, "look")
    assert drive.states()["look"] == "manual"
    drive.now += REACTION
    decide(drive, crew, "look")
    assert drive.states()["look"] == state


def test_two_scripted_people_approve_one_after_the_other(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    crew = scripted(lambda step, name: "seen")
    drive.now += REACTION
    decide(drive, crew, "look")
    drive.tick()
    for count in (1, 2):
        drive.now += REACTION
        decide(drive, crew, "resume")
        assert len(drive.step("resume")["approvals"]) == count
    assert drive.states()["resume"] == "approved"
