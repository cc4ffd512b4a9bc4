"""Playbooks as CACAO 2.0, for other tools to read.

A phase is a parallel step of which each branch is a chain of actions, or one chain; a gate is an
action and an if-condition on what it found. What CACAO has no word for (who approves, how many,
which action of ours) is in a step extension, from which `serving.playbooks.cacao_import` reads it
back as it was.

Source: OASIS CACAO Security Playbooks Version 2.0.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from serving.playbooks.definition import Phase, Playbook, Step

__all__ = ["EXTENSION", "SEVERITIES", "Document", "exported"]

ACTIVITIES = {
    **dict.fromkeys(("analyse", "check", "evidence", "watch"), "analyze-collected-data"),
    **dict.fromkeys(("status_page", "tell", "ticket"), "deliver-content"),
}
"""By the beginning of an action's name; the others configure systems."""
SEVERITIES = {"info": 10, "low": 25, "medium": 50, "high": 75, "critical": 100}
OURS = ("requirement", "kind", "action", "with", "people", "role", "owner", "after",
        "needs", "evidence", "on_failure", "undo", "otherwise", "guide")  # fmt: skip

Document = dict[str, Any]


def _named(kind: str, *parts: str) -> str:
    # Steps must have identifiers of the form of version 4; these are also the same each time.
    digest = hashlib.sha256("/".join(("urn:tocsin:cacao", kind, *parts)).encode()).digest()
    return f"{kind}--{uuid.UUID(bytes=digest[:16], version=4)}"


EXTENSION = _named("extension-definition", "step")
IDENTITY = _named("identity", "tocsin")
MACHINE = _named("organization", "tocsin")


def exported(playbook: Playbook, *, now: datetime) -> Document:
    """A playbook as a CACAO 2.0 document.

    Parameters
    ----------
    now : datetime
        Aware UTC; when this version was made.
    """
    at = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
    name = playbook.playbook
    begin, end = _named("start", name), _named("end", name)
    workflow: Document = {}
    following = end
    gaps = _delays(playbook.phases)
    for phase, gap in reversed(list(zip(playbook.phases, gaps, strict=True))):
        following = _phase(workflow, playbook, phase, gap, following)
    workflow = {
        begin: {"type": "start", "name": playbook.title, "on_completion": following},
        **workflow,
        end: {"type": "end", "name": "Every step is over"},
    }
    owners = sorted({step.owner for _, step in playbook.steps if step.owner})
    agents = {_named("group", owner): {"type": "group", "name": owner} for owner in owners}
    return {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": _named("playbook", name),
        "name": name,
        "description": f"{playbook.title}. {playbook.about}",
        "playbook_types": ["detection", "investigation", "mitigation", "remediation"],
        "playbook_activities": sorted(
            {command["playbook_activity"] for step in workflow.values()
             for command in step.get("commands", []) if "playbook_activity" in command}
        ),
        "created_by": IDENTITY,
        "created": at,
        "modified": at,
        "severity": SEVERITIES[playbook.severity],
        "labels": ["tocsin", *playbook.requirement],
        "playbook_variables": {
            _variable(given): {"type": "string", "description": f"filled from {value}",
                               "constant": False, "external": True}
            for given, value in playbook.parameters.items()
        },
        "workflow_start": begin,
        "workflow_exception": end,
        "workflow": workflow,
        "agent_definitions": {MACHINE: {"type": "organization", "name": "Tocsin"}, **agents},
        "extension_definitions": {
            EXTENSION: {
                "type": "extension-definition",
                "name": "Tocsin step",
                "description": "Who decides on a step, by which action it is done, what undoes it.",
                "created_by": IDENTITY,
                "schema": "urn:tocsin:playbook:step",
                "version": "1.0.0",
            }
        },
    }  # fmt: skip


def _delays(phases: Sequence[Phase]) -> list[int]:
    """Milliseconds from each phase to the one before it; none for recovery."""
    times = [phase.at for phase in phases]
    before = [timedelta(0), *times[:-1]]
    return [
        0 if one is None or last is None else round((one - last).total_seconds() * 1000)
        for last, one in zip(before, times, strict=True)
    ]


def _phase(workflow: Document, playbook: Playbook, phase: Phase, delay: int, following: str) -> str:
    """Add a phase; the id of its parallel step, or where it has one branch, of its first action."""
    name = playbook.playbook
    mine = {step.id: step for step in phase.steps}
    fallbacks = {step.otherwise for _, step in playbook.steps if step.otherwise}
    branches: list[list[Step]] = []
    for step in phase.steps:
        if step.id in fallbacks:
            continue
        joined = [b for b in branches if any(one.id in step.after for one in b)]
        branches = [b for b in branches if b not in joined]
        branches.append([*(one for b in joined for one in b), step])
    if len(branches) == 1:
        only = _chain(workflow, playbook, branches[0], following, mine)
        about = workflow[only]["step_extensions"][EXTENSION]
        about["phase"] = {"title": phase.title, "recovery": phase.recovery}
        workflow[only] |= {"delay": delay} if delay else {}
        return only
    ids = []
    for branch in branches:
        end = _named("end", name, branch[0].id)
        workflow[end] = {"type": "end"}
        ids.append(_chain(workflow, playbook, branch, end, mine))
    parallel = _named("parallel", name, phase.title)
    workflow[parallel] = {
        "type": "parallel",
        "name": phase.title,
        **({"delay": delay} if delay else {}),
        "next_steps": ids,
        "on_completion": following,
        "step_extensions": {EXTENSION: {"recovery": phase.recovery}},
    }
    return parallel


def _chain(
    workflow: Document,
    playbook: Playbook,
    branch: Sequence[Step],
    end: str,
    mine: Mapping[str, Step],
) -> str:
    """Add steps one after the other, from the last; the id of the first."""
    name, following = playbook.playbook, end
    for step in reversed(branch):
        if step.otherwise:
            gate = _named("if-condition", name, step.id)
            held = _named("end", name, step.id, "held")
            other = _named("end", name, step.id, "otherwise")
            workflow[held], workflow[other] = {"type": "end"}, {"type": "end"}
            fallback = next(one for _, one in playbook.steps if one.id == step.otherwise)
            # One fallback may serve several gates; in a tree each has its own.
            workflow[gate] = {
                "type": "if-condition",
                "name": f"{step.title}?",
                "condition": f"{_variable(step.id)}:value = 'done'",
                "on_true": _retold(workflow, playbook, step, held),
                "on_false": _action(workflow, playbook, fallback, other, step.id),
                "on_completion": following,
            }
            following = gate
        following = _action(workflow, playbook, step, following)
    return following


def _retold(workflow: Document, playbook: Playbook, step: Step, end: str) -> str:
    """The branch of a gate that held: a note, as a branch may not be empty."""
    held = _named("action", playbook.playbook, step.id, "held")
    said = f"{step.title}: it holds. Go on."
    workflow[held] = {
        "type": "action",
        "name": "It holds",
        "commands": [{"type": "manual", "command": said}],
        "agent": MACHINE,
        "on_completion": end,
        "step_extensions": {EXTENSION: {"note": True}},
    }
    return held


def _action(
    workflow: Document, playbook: Playbook, step: Step, following: str, gate: str = ""
) -> str:
    where = _named("action", playbook.playbook, step.id, *([gate] if gate else []))
    ours = step.model_dump(mode="json", by_alias=True)
    shown = ", ".join(f"{name} = {value}" for name, value in step.parameters.items())
    does = f"{step.action}: {shown}" if shown else step.action
    position = [one.id for _, one in playbook.steps].index(step.id)
    workflow[where] = {
        "type": "action",
        "name": step.title,
        "description": f"{step.kind}, {', '.join(step.requirement) or 'ours'}",
        "timeout": round(step.timeout.total_seconds() * 1000),
        "commands": [{"type": "manual", "command": step.guide or does, **_activity(step)}],
        "agent": MACHINE if step.kind == "automatic" or not step.owner else
        _named("group", step.owner),
        **({"in_args": [v for v in map(_variable, playbook.parameters) if _uses(step, v)]}
           if any(_uses(step, v) for v in map(_variable, playbook.parameters)) else {}),
        **({"step_variables": {_variable(step.id): {"type": "string", "constant": False}},
            "out_args": [_variable(step.id)]} if step.otherwise else {}),
        "on_completion": following,
        "step_extensions": {
            EXTENSION: {
                "step_id": step.id,
                **{name: ours[name] for name in OURS},
                "position": position,
                "timeout": f"{step.timeout.total_seconds():.0f}s",
            }
        },
    }  # fmt: skip
    return where


def _activity(step: Step) -> dict[str, str]:
    if not step.action:
        return {}
    kind = step.action.partition(".")[0]
    return {"playbook_activity": ACTIVITIES.get(kind, "configure-systems")}


def _uses(step: Step, variable: str) -> bool:
    return "{" + variable.strip("_") + "}" in str(step.parameters)


def _variable(name: str) -> str:
    return f"__{name}__"
