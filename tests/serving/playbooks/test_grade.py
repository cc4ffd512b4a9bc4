"""The grade: what never began is not contained, and what is open is named."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from serving.playbooks.definition import load_library
from serving.playbooks.drill import Drill
from serving.playbooks.grade import PART, graded, remember
from serving.playbooks.scenes import scene_for
from serving.store.tables import memory
from tests.serving.playbooks.running import NOON


def test_a_drill_that_saw_nothing_does_not_pass(tmp_path: Path) -> None:
    book = load_library()["market_abuse"]
    played = Drill(book, scene_for("market_abuse", tmp_path, 0), tmp_path)
    grade = graded(played, lost_without=3.0, undo={})
    played.engine.dispose()
    assert grade["time_to_contain"] == {"seconds": None}
    assert grade["closed"] == {"undocumented": False, "in_the_end": False}
    assert not grade["passed"]
    assert grade["open"] == [step.id for _, step in book.steps]
    assert {one["state"] for one in grade["steps"]} == {"not started"}


def test_the_grade_is_kept_with_its_time(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        remember(connection, {"playbook": "x", "passed": True}, now=NOON)
        row = connection.execute(sa.select(memory).where(memory.c.part == PART)).mappings().one()
    assert row["state"] == {"playbook": "x", "passed": True, "at": NOON.isoformat()}
