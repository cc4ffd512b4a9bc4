"""What CACAO 2.0 demands of a document (its MUSTs), checked: one sentence for each fault.

The specification's JSON schemas are not normative and cannot express most of this: that every
reference leads to a step, that branches end in ends of their own, that nothing goes in a circle.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["faults"]

UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-5][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
ID = re.compile(rf"([a-z][a-z0-9-]+)--{UUID}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
VARIABLE = re.compile(r"__[a-zA-Z_][a-zA-Z0-9_-]{0,199}__")
EXTENDED = re.compile(r"[a-z0-9_]{3,250}")
REQUIRED = ("type", "spec_version", "id", "name", "created_by", "created", "modified",
            "workflow_start", "workflow")  # fmt: skip
STEPS = {"start", "end", "action", "playbook-action", "parallel", "if-condition",
         "while-condition", "switch-condition"}  # fmt: skip
LINKS = ("on_completion", "on_success", "on_failure", "on_true", "on_false")
AGENTS = {"group", "individual", "location", "organization", "sector", "http-api", "linux",
          "net-address", "security-category", "ssh"}  # fmt: skip


def faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a CACAO 2.0 playbook; empty when nothing is."""
    missing = [f"{name} is missing" for name in REQUIRED if name not in document]
    return missing or [*_head(document), *_steps(document), *_flow(document)]


def _head(document: Mapping[str, Any]) -> Iterator[str]:
    if document["type"] != "playbook" or document["spec_version"] != "cacao-2.0":
        yield f"type is {document['type']}, spec_version {document['spec_version']}"
    for name, kind in (("id", "playbook"), ("created_by", "identity")):
        found = ID.fullmatch(document[name])
        if found is None or found[1] != kind:
            yield f"{name} is {document[name]!r}; expected {kind}-- and a UUID"
    for name in ("created", "modified"):
        if not TIME.fullmatch(document[name]):
            yield f"{name} is {document[name]!r}; expected UTC to the millisecond"
    if document["modified"] < document["created"]:
        yield "modified is before created"
    for name in ("severity", "priority", "impact"):
        if not 0 <= document.get(name, 0) <= 100:
            yield f"{name} is {document[name]}; expected 0 to 100"
    for name, variable in document.get("playbook_variables", {}).items():
        if not VARIABLE.fullmatch(name) or "type" not in variable:
            yield f"variable {name!r}; expected __name__ and a type"
    told = {
        command.get("playbook_activity")
        for step in document["workflow"].values()
        for command in step.get("commands", [])
    }
    for name in document.get("playbook_activities", []):
        if name not in told:
            yield f"activity {name!r} is that of no command"
    for name, agent in document.get("agent_definitions", {}).items():
        if not ID.fullmatch(name) or agent.get("type") not in AGENTS or not agent.get("name"):
            yield f"agent {name}; expected an identifier, a type and a name"
        elif not name.startswith(f"{agent['type']}--"):
            yield f"agent {name} is of type {agent['type']}"


def _steps(document: Mapping[str, Any]) -> Iterator[str]:
    workflow = document["workflow"]
    agents = document.get("agent_definitions", {})
    kinds = Counter(step.get("type") for step in workflow.values())
    for kind in ("start", "action", "end"):
        if not kinds[kind] and not (kind == "action" and kinds["playbook-action"]):
            yield f"there is no {kind} step"
    for name, step in workflow.items():
        kind, found = step.get("type"), ID.fullmatch(name)
        if kind not in STEPS or found is None or found[1] != kind:
            yield f"step {name} is of type {kind!r}; expected its identifier to begin with it"
            continue
        if "on_completion" in step and ("on_success" in step or "on_failure" in step):
            yield f"step {name} has on_completion beside on_success or on_failure"
        if kind in ("start", "end") and ("on_success" in step or "on_failure" in step):
            yield f"{kind} step {name} has on_success or on_failure"
        if kind == "end" and "on_completion" in step:
            yield f"end step {name} goes on"
        if kind != "end" and "on_completion" not in step and "on_success" not in step:
            yield f"step {name} leads nowhere"
        if kind == "action" and (not step.get("commands") or step.get("agent") not in agents):
            yield f"action {name} has no command, or an agent that is not defined"
        if name.partition("--")[2][14] != "4":
            yield f"step {name} has no identifier of version 4"
        if kind == "parallel" and len(step.get("next_steps", [])) < 2:
            yield f"parallel step {name} has fewer than two branches"
        if kind == "if-condition" and not (step.get("condition") and step.get("on_true")):
            yield f"if-condition {name} has no condition or no on_true"
        if "delay" in step and not (isinstance(step["delay"], int) and step["delay"] >= 0):
            yield f"step {name} has a delay of {step['delay']!r} ms"
        for extension, given in step.get("step_extensions", {}).items():
            if extension not in document.get("extension_definitions", {}):
                yield f"step {name} uses {extension}, which is not defined"
            for wrong in (one for one in given if not EXTENDED.fullmatch(one)):
                yield f"step {name} has {wrong!r}; expected 3 to 250 of a-z, 0-9 and _"


def _flow(document: Mapping[str, Any]) -> Iterator[str]:
    workflow, first = document["workflow"], document["workflow_start"]
    if workflow.get(first, {}).get("type") != "start":
        yield f"workflow_start is {first}, which is no start step"
        return
    ends: Counter[str] = Counter()
    for name in _entries(workflow, first):
        path, here = {name}, name
        while workflow.get(here, {}).get("type") not in ("end", None):
            step = workflow[here]
            here = step.get("on_completion") or step.get("on_success") or ""
            if here in path:
                yield f"the branch from {name} goes in a circle at {here}"
                return
            path.add(here)
        if here not in workflow:
            yield f"the branch from {name} leads to {here!r}, which is not there"
        else:
            ends[here] += 1
    yield from (f"end {end} ends {count} branches" for end, count in ends.items() if count > 1)
    wanted = {step[link] for step in workflow.values() for link in LINKS if link in step}
    wanted |= {branch for step in workflow.values() for branch in step.get("next_steps", [])}
    yield from (f"{name} is named and not there" for name in sorted(wanted - set(workflow)))
    lost = set(workflow) - wanted - {first}
    yield from (f"no step leads to {name}" for name in sorted(lost))


def _entries(workflow: Mapping[str, Any], first: str) -> list[str]:
    """Where branches begin: the start, and what parallel and conditional steps lead to."""
    found = [first]
    for step in workflow.values():
        found += step.get("next_steps", [])
        found += [step[link] for link in ("on_true", "on_false") if link in step]
    return found
