"""CACAO 2.0 playbooks as ours, as far as they map.

Source: OASIS CACAO Security Playbooks Version 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from serving.playbooks.cacao import EXTENSION, SEVERITIES, Document
from serving.playbooks.definition import Playbook, PlaybookError

__all__ = ["imported"]


def imported(document: Mapping[str, Any]) -> Playbook:
    """What maps of a CACAO 2.0 document: actions in order, parallel steps, gates.

    A step of ours comes back as it was. Of others, each command is a step that a person does:
    nothing that somebody else wrote acts by itself here.

    Raises
    ------
    PlaybookError
        It is not a CACAO 2.0 playbook, or has a step that does not map: a loop or a switch.
    """
    if document.get("spec_version") != "cacao-2.0" or document.get("type") != "playbook":
        raise PlaybookError(f"spec_version is {document.get('spec_version')!r}; expected cacao-2.0")
    workflow, phases, at = document["workflow"], [], timedelta(0)
    here = workflow[document["workflow_start"]].get("on_completion")
    while here and workflow[here]["type"] != "end":
        step = workflow[here]
        at += timedelta(milliseconds=step.get("delay", 0))
        about = _own(step)
        steps: list[Document] = []
        if step["type"] == "parallel":
            for branch in step["next_steps"]:
                _branch(workflow, branch, steps)
            here = step.get("on_completion")
        else:
            here, about = _walk(workflow, here, steps), about.get("phase", {})
        title = about.get("title") or step.get("name", "Phase")
        when = (
            {"recovery": True} if about.get("recovery") else {"at": f"T+{at.total_seconds():.0f}s"}
        )
        order = {one["id"]: one.pop("position", place) for place, one in enumerate(steps)}
        steps.sort(key=lambda one: order[one["id"]])
        phases.append({"title": title, **when, "steps": steps})
    name = document.get("name", "")
    known = {v.strip("_"): "{" + v.strip("_") + "}" for v in document.get("playbook_variables", {})}
    severity = document.get("severity", 50)
    given = {
        "playbook": name if name.isidentifier() and name.islower() else "imported",
        "title": name or "Imported",
        "about": document.get("description", "") or "Imported.",
        "severity": min(SEVERITIES, key=lambda word: abs(SEVERITIES[word] - severity)),
        "parameters": known,
        "phases": phases,
    }
    try:
        return Playbook.model_validate(given)
    except ValueError as error:
        raise PlaybookError(f"it does not map: {str(error).splitlines()[-1].strip()}") from error


def _own(step: Mapping[str, Any]) -> Document:
    """What we wrote on a step."""
    return dict(step.get("step_extensions", {}).get(EXTENSION, {}))


def _branch(workflow: Mapping[str, Any], here: str, steps: list[Document]) -> None:
    """Add the steps of a branch, in order, to its own end."""
    stopped = _walk(workflow, here, steps)
    if stopped and workflow[stopped]["type"] != "end":
        raise PlaybookError(f"{stopped} is a step within a branch, which does not map")


def _walk(workflow: Mapping[str, Any], here: str, steps: list[Document]) -> str:
    """Add steps one after the other; where it stopped: at an end, or where a phase begins."""
    seen, first = {one["id"] for one in steps}, here
    while here and workflow[here]["type"] not in ("end", "parallel"):
        step, own = workflow[here], _own(workflow[here])
        if here != first and "phase" in own:
            break
        if step["type"] == "action":
            own.pop("phase", None)
            given = own | {"id": own.pop("step_id")} if "step_id" in own else _by_hand(here, step)
            if "note" not in own and given["id"] not in seen:
                steps.append({**given, "title": step.get("name", given["id"])})
                seen.add(given["id"])
        elif step["type"] == "if-condition":
            for branch in ("on_true", "on_false"):
                if branch in step:
                    _branch(workflow, step[branch], steps)
                    seen = {one["id"] for one in steps}
        else:
            raise PlaybookError(f"{here} is a {step['type']} step, which does not map")
        here = step.get("on_completion") or step.get("on_success") or ""
    return here


def _by_hand(where: str, step: Mapping[str, Any]) -> Document:
    """A step of somebody else's: what it commands, for a person to do."""
    commands = [one.get("command", one["type"]) for one in step.get("commands", [])]
    return {
        "id": "step_" + where.partition("--")[2].replace("-", "_"),
        "kind": "manual",
        "guide": " ".join(commands) or step.get("description", "") or "Do this step.",
        "timeout": f"{max(step.get('timeout', 300_000) // 1000, 1)}s",
    }
