"""The checks of CACAO's MUSTs: each is shown on a document that breaks it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serving.playbooks.cacao import EXTENSION, exported
from serving.playbooks.cacao_rules import faults
from serving.playbooks.definition import load_library
from tests.serving.playbooks.running import NOON

GOOD = exported(load_library()["performance_degradation"], now=NOON)
Document = dict[str, Any]


def first(document: Document, kind: str) -> Document:
    found: Document = next(s for s in document["workflow"].values() if s["type"] == kind)
    return found


def lost(document: Document) -> None:
    first(document, "action")["on_completion"] = "end--00000000-0000-4000-8000-000000000000"


def shared(document: Document) -> None:
    ends = {s["on_completion"] for s in document["workflow"].values()
            if s.get("on_completion", "").startswith("end--")}  # fmt: skip
    for step in document["workflow"].values():
        if step.get("on_completion") in ends:
            step["on_completion"] = min(ends)


def circle(document: Document) -> None:
    name = next(n for n, s in document["workflow"].items() if s["type"] == "action")
    document["workflow"][name]["on_completion"] = name


def old(document: Document) -> None:
    name = next(n for n, s in document["workflow"].items() if s["type"] == "parallel")
    document["workflow"][f"{name[:24]}5{name[25:]}"] = document["workflow"][name]


BROKEN: list[tuple[Callable[[Document], Any], str]] = [
    (lambda d: d.pop("created_by"), "created_by is missing"),
    (lambda d: d.update(spec_version="cacao-1.0"), "spec_version"),
    (lambda d: d.update(id="playbook--1"), "expected playbook--"),
    (lambda d: d.update(created="2026-03-01T12:00:00Z"), "to the millisecond"),
    (lambda d: d.update(modified="2025-03-01T12:00:00.000Z"), "before created"),
    (lambda d: d.update(severity=101), "expected 0 to 100"),
    (lambda d: d["playbook_variables"].update(x={"type": "string"}), "variable 'x'"),
    (lambda d: d["agent_definitions"].clear(), "an agent that is not defined"),
    (lambda d: d["extension_definitions"].clear(), "which is not defined"),
    (lambda d: first(d, "end").update(on_completion="x"), "goes on"),
    (lambda d: first(d, "start").update(on_failure="x"), "on_success or on_failure"),
    (lambda d: first(d, "action").update(commands=[]), "has no command"),
    (
        lambda d: first(d, "parallel").update(next_steps=first(d, "parallel")["next_steps"][:1]),
        "fewer than two branches",
    ),
    (lambda d: first(d, "parallel")["step_extensions"].update({EXTENSION: {"id": 1}}), "3 to 250"),
    (lambda d: d.update(playbook_activities=["scan-system"]), "is that of no command"),
    (old, "version 4"),
    (lambda d: first(d, "if-condition").pop("condition"), "no condition"),
    (lambda d: first(d, "action").update(on_success="x"), "beside on_success"),
    (lambda d: d.update(workflow_start="x"), "no start step"),
    (lost, "which is not there"),
    (shared, "branches"),
    (circle, "in a circle"),
]


def test_a_good_one_has_no_fault() -> None:
    assert faults(GOOD) == []


@pytest.mark.parametrize(("breaks", "said"), BROKEN)
def test_what_breaks_a_law_is_named(breaks: Callable[[Document], Any], said: str) -> None:
    document = copy.deepcopy(GOOD)
    breaks(document)
    assert any(said in fault for fault in faults(document))
