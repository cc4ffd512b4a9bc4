"""The grade: what never began is not contained, and what is open is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from serving.playbooks.definition import load_library
from serving.playbooks.drill import Drill
from serving.playbooks.grade import PART, graded, in_words, remember
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
    first, still_open, closed, *steps = in_words(grade).splitlines()
    assert first == "not passed: never contained; lost 0 minutes, without it 3"
    assert still_open.startswith("still open: preserve, linked, ")
    assert closed == "incident: not closed in the end"
    assert len(steps) == len(grade["steps"])


def test_what_was_wrong_is_said_and_nothing_else() -> None:
    fine: dict[str, Any] = {
        **{name: [] for name in ("late", "failed", "held", "open", "empty", "steps")},
        "time_to_contain": {"seconds": -107.3},
        "lost": 0.0,
        "lost_without": 75816.1,
        "unit": "USDT",
        "undo": {"freeze": True},
        "closed": {"undocumented": False, "in_the_end": True},
        "passed": True,
    }
    said = "contained 107 s before the first harm; lost 0 USDT, without it 75816.1"
    assert in_words(fine) == f"passed: {said}"
    time = {"seconds": 12.0, "blocks": 1}
    wrong = fine | {"passed": False, "undo": {"freeze": False}, "time_to_contain": time}
    wrong |= {"late": ["a", "b"], "empty": ["c"], "closed": {"undocumented": True, "in_the_end": 1}}
    assert in_words(wrong).splitlines() == [
        "not passed: contained 12 s after the first harm (blocks: 1); "
        "lost 0 USDT, without it 75816.1",
        "late: a, b",
        "not taken back: freeze",
        "signed off with nothing written down: c",
        "incident: closed undocumented",
    ]


def test_the_grade_is_kept_with_its_time(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        remember(connection, {"playbook": "x", "passed": True}, now=NOON)
        row = connection.execute(sa.select(memory).where(memory.c.part == PART)).mappings().one()
    assert row["state"] == {"playbook": "x", "passed": True, "at": NOON.isoformat()}
