"""The grade of a drill: how fast it was contained, what was late or wrong, what it cost; kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from pipeline.database import upsert
from serving.playbooks.rows import FRESH
from serving.playbooks.waiting import END
from serving.store.tables import memory

if TYPE_CHECKING:
    from serving.playbooks.drill import Drill

__all__ = ["PART", "graded", "in_words", "remember"]

PART = "drills"
"""Part of table ``memory`` that holds when each playbook was last drilled, and its grade."""


def graded(played: Drill, *, lost_without: float, undo: dict[str, bool]) -> dict[str, Any]:
    """What a drill showed.

    Returns
    -------
    dict
        ``time_to_contain``: ``seconds`` from the first harm (negative where nothing had happened
        yet, None if never contained) and on a chain ``blocks``; ``detected_after`` likewise;
        ``lost``, ``lost_without``, ``unit``; ``late``, ``failed``, ``held`` (gates that stayed
        shut), ``skipped`` and ``open`` (names of steps); ``undo`` (by step: whether taking it
        back works); ``empty`` (steps that could be signed off with nothing written down);
        ``closed``: whether the incident could be closed ``undocumented``, and in the end;
        ``requirements``: of each line of the seed, its steps and their states; ``steps``: each
        with its requirement, state and outcome; ``passed``.
    """
    scene, rows = played.scene, played.steps()
    alerted = played.first_alert()
    steps = []
    late = []
    for phase, step in played.playbook.steps:
        row = rows.get(
            step.id, {"state": "not started", "outcome": {}, "ended_at": None, "why": ""}
        )
        at = row["ended_at"]
        if at and row["state"] == "done" and at > row["due_at"] + step.timeout:
            late.append(step.id)
        steps.append(
            {
                "step": step.id,
                "phase": phase.title,
                "requirement": step.requirement,
                "state": row["state"],
                "outcome": row["outcome"].get("done") or row["why"],
            }
        )
    ended = {step.id: rows.get(step.id, FRESH)["state"] for _, step in played.playbook.steps}
    wrong = [step for _, step in played.playbook.steps if ended[step.id] == "failed"]
    # A gate that failed and whose other way was taken did what it is for.
    held = [step.id for step in wrong if step.otherwise and ended[step.otherwise] == "done"]
    failed = [s.id for s in wrong if s.id not in held and s.on_failure != "continue"]
    contained = _seconds(scene.onset, played.contained_at)
    time: dict[str, float | None] = {"seconds": contained}
    if scene.unit == "ether":
        every = scene.step.total_seconds()
        time["blocks"] = None if contained is None else round(contained / every)
    requirements: dict[str, dict[str, str]] = {}
    for _, step in played.playbook.steps:
        for name in step.requirement:
            requirements.setdefault(name, {})[step.id] = ended[step.id]
    still_open = [one["step"] for one in steps if one["state"] not in END]
    empty = [name for name, refused in played.refused.items() if not refused]
    closed = {"undocumented": played.closed_early, "in_the_end": played.closed}
    return {
        "playbook": played.playbook.playbook,
        "detected_after": _seconds(scene.onset, alerted),
        "time_to_contain": time,
        "lost": played.lost,
        "lost_without": lost_without,
        "unit": scene.unit,
        "late": late,
        "failed": failed,
        "held": held,
        "skipped": [name for name, state in ended.items() if state == "skipped"],
        "open": still_open,
        "undo": undo,
        "empty": empty,
        "closed": closed,
        "requirements": dict(sorted(requirements.items())),
        "steps": steps,
        "passed": contained is not None
        and not (late or failed or held or still_open or empty)
        and all(undo.values())
        and closed == {"undocumented": False, "in_the_end": True},
    }


def in_words(grade: Mapping[str, Any]) -> str:
    """A grade for people: the outcome, what was wrong with it, then each step."""
    time = grade["time_to_contain"]
    contained = "never contained"
    if (seconds := time["seconds"]) is not None:
        when = "after" if seconds >= 0 else "before"
        contained = f"contained {abs(seconds):.0f} s {when} the first harm"
        contained += f" (blocks: {time['blocks']})" if "blocks" in time else ""
    cost = f"lost {grade['lost']:.6g} {grade['unit']}, without it {grade['lost_without']:.6g}"
    wrong = {
        "late": grade["late"],
        "failed": grade["failed"],
        "gates that stayed shut": grade["held"],
        "still open": grade["open"],
        "not taken back": [name for name, back in grade["undo"].items() if not back],
        "signed off with nothing written down": grade["empty"],
        "incident": ["closed undocumented"] * grade["closed"]["undocumented"]
        + ["not closed in the end"] * (not grade["closed"]["in_the_end"]),
    }
    said = [f"{what}: {', '.join(names)}" for what, names in wrong.items() if names]
    rows = [f"{one['state']:>10}  {one['step']}: {one['outcome']}" for one in grade["steps"]]
    passed = "passed" if grade["passed"] else "not passed"
    return "\n".join((f"{passed}: {contained}; {cost}", *said, *rows))


def remember(connection: sa.Connection, grade: Mapping[str, Any], *, now: datetime) -> None:
    """Keep a playbook's latest grade, so that coverage knows when it was last drilled."""
    kept = {**grade, "at": now.isoformat()}
    upsert(connection, memory, [{"part": PART, "key": grade["playbook"], "state": kept}])


def _seconds(first: datetime | None, then: datetime | None) -> float | None:
    return None if first is None or then is None else (then - first).total_seconds()
