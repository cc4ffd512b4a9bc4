"""The grade of a drill: how fast it was contained, what was late or wrong, what it cost."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from serving.playbooks.rows import FRESH
from serving.playbooks.waiting import END

if TYPE_CHECKING:
    from serving.playbooks.drill import Drill

__all__ = ["graded"]


def graded(played: Drill, *, lost_without: float, undo: dict[str, bool]) -> dict[str, Any]:
    """What a drill showed.

    Returns
    -------
    dict
        ``detected_after``, ``contained_after`` (seconds from the first harm, None if never),
        ``contained_after_blocks`` on a chain, ``lost``, ``lost_without``, ``unit``, ``late``,
        ``failed``, ``held`` (gates that stayed shut), ``skipped`` and ``open`` (names of steps),
        ``undo`` (by step: whether taking it back works), ``steps`` (each with its requirement,
        state and outcome), ``passed``.
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
    blocks = None
    if contained is not None and scene.unit == "ether":
        blocks = round(contained / scene.step.total_seconds())
    return {
        "playbook": played.playbook.playbook,
        "detected_after": _seconds(scene.onset, alerted),
        "contained_after": contained,
        "contained_after_blocks": blocks,
        "lost": played.lost,
        "lost_without": lost_without,
        "unit": scene.unit,
        "late": late,
        "failed": failed,
        "held": held,
        "skipped": [name for name, state in ended.items() if state == "skipped"],
        "open": [one["step"] for one in steps if one["state"] not in END],
        "undo": undo,
        "steps": steps,
        "passed": contained is not None and not late and not failed and all(undo.values()),
    }


def _seconds(first: datetime | None, then: datetime | None) -> float | None:
    return None if first is None or then is None else (then - first).total_seconds()
