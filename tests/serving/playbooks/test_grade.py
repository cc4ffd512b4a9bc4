"""The grade: what never began is not contained, and what is open is named."""

from __future__ import annotations

from pathlib import Path

from serving.playbooks.definition import load_library
from serving.playbooks.drill import Drill
from serving.playbooks.grade import graded
from serving.playbooks.scenes import scene_for


def test_a_drill_that_saw_nothing_does_not_pass(tmp_path: Path) -> None:
    book = load_library()["market_abuse"]
    played = Drill(book, scene_for("market_abuse", tmp_path, 0), tmp_path)
    grade = graded(played, lost_without=3.0, undo={})
    played.engine.dispose()
    assert grade["contained_after"] is None
    assert not grade["passed"]
    assert grade["open"] == [step.id for _, step in book.steps]
    assert {one["state"] for one in grade["steps"]} == {"not started"}
