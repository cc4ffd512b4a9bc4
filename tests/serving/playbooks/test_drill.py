"""Drills: the playbook is played to its end and graded, and the grade is kept."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from serving.playbooks.definition import load_library
from serving.playbooks.drill import PART, asked, drill, remember
from serving.store.tables import memory
from tests.serving.playbooks.running import NOON, Drive, playbook

BOOKS = load_library()


@pytest.fixture(scope="module")
def grade(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return drill(BOOKS["contract_compromise"], tmp_path_factory.mktemp("drill"))


@pytest.mark.slow
def test_the_drain_is_contained_within_a_block_of_the_first(grade: dict[str, Any]) -> None:
    assert grade["detected_after"] <= 12  # the window of the first block that harmed
    assert grade["contained_after_blocks"] <= 1
    assert 0 < grade["lost"] < grade["lost_without"]


@pytest.mark.slow
def test_every_step_is_there_with_its_outcome(grade: dict[str, Any]) -> None:
    assert [one["step"] for one in grade["steps"]] == [
        step.id for _, step in BOOKS["contract_compromise"].steps
    ]
    before = [one for one in grade["steps"] if not one["phase"].startswith("Recovery")]
    assert {one["state"] for one in before} <= {"done", "skipped"}
    assert grade["late"] == grade["failed"] == []


@pytest.mark.slow
def test_nothing_is_resumed_while_assets_are_missing(grade: dict[str, Any]) -> None:
    assert grade["held"] == ["integrity"]
    assert "unpause" in grade["open"]


@pytest.mark.slow
def test_a_false_alarm_can_be_taken_back(grade: dict[str, Any]) -> None:
    assert grade["undo"] == {"pause": True, "gate_withdrawals": True, "gate_trading": True}
    assert grade["passed"]


def test_the_grade_is_kept_with_its_time(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        remember(connection, {"playbook": "x", "passed": True}, now=NOON)
        row = connection.execute(sa.select(memory).where(memory.c.part == PART)).mappings().one()
    assert row["state"] == {"playbook": "x", "passed": True, "at": NOON.isoformat()}


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
