"""Playbooks as data: the library is whole, and what makes no sense is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.definition import (
    Limits,
    Phase,
    Playbook,
    PlaybookError,
    Step,
    load_library,
    load_playbook,
    schema,
)
from serving.playbooks.policy import PEOPLE, needed
from tests.serving.playbooks.running import playbook

BOOKS = load_library()
SEED = [
    *(f"SC-D{n}" for n in range(1, 5)),
    *(f"SC-{n}" for n in ("1a", "1b", "1c", "2a", "2b", "2c", "2d", "3a", "3b", "3c")),
    *(f"SC-4{n}" for n in ("i1", "i2", "i3", "e1", "e2", "e3")),
    *(f"SC-R{n}{part}" for n in (1, 2, 3) for part in "abc"),
    *(f"PF-D{n}" for n in range(1, 5)),
    *(f"PF-{n}{part}" for n in (1, 2, 3, 4) for part in "abc"),
    *(f"PF-DOC{n}" for n in range(1, 5)),
]


def test_the_six_playbooks_are_there() -> None:
    assert set(BOOKS) == {
        "contract_compromise",
        "performance_degradation",
        "account_takeover",
        "market_abuse",
        "market_data_failure",
        "insider_tampering",
    }


@pytest.mark.parametrize("requirement", SEED)
def test_every_line_of_the_seed_is_answered(requirement: str) -> None:
    answered = {r for b in BOOKS.values() for _, s in b.steps for r in s.requirement}
    answered |= {r for b in BOOKS.values() for r in b.requirement}
    assert requirement in answered


@pytest.mark.parametrize("book", BOOKS.values(), ids=str)
def test_each_is_whole(book: Playbook) -> None:
    assert book.phases[-1].recovery
    for _, step in book.steps:
        assert step.owner, step.id
        for action in filter(None, (step.action, step.undo)):
            assert action in ACTIONS, (step.id, action)


@pytest.mark.parametrize("book", BOOKS.values(), ids=str)
def test_parameters_are_known_or_found_by_an_earlier_step(book: Playbook) -> None:
    known = {
        "entity",
        "incident",
        "severity",
        "title",
        "why",
        "started",
        "symbol",
        *book.parameters,
    }
    known |= {"account"}
    seen: set[str] = set()
    for _, step in book.steps:
        for name in re.findall(r"\{([a-z_.]+)\}", str(step.parameters)):
            where, _, fact = name.partition(".")
            assert (where in seen) if fact else (name in known), (step.id, name)
        seen.add(step.id)


@pytest.mark.parametrize("book", BOOKS.values(), ids=str)
def test_what_contains_can_be_taken_back_by_people_only(book: Playbook) -> None:
    for _, step in book.steps:
        if step.undo:
            assert PEOPLE[ACTIONS[step.undo].effect] >= 1, step.id
        if step.action and ACTIONS[step.action].effect in ("restore", "move_funds", "delete"):
            assert step.kind == "approval", step.id
            assert needed(step, ACTIONS[step.action].effect) >= 1


def test_a_step_without_an_action_or_a_guide_is_refused() -> None:
    with pytest.raises(ValidationError, match="expected an action"):
        Step.model_validate({"id": "a", "title": "A", "kind": "automatic"})
    with pytest.raises(ValidationError, match="expected a guide"):
        Step.model_validate({"id": "a", "title": "A", "kind": "manual"})


def test_a_gate_names_a_later_step() -> None:
    with pytest.raises(ValidationError, match="otherwise gone"):
        playbook(otherwise="gone")
    assert next(step for _, step in playbook(otherwise="look").steps).otherwise == "look"


def test_a_phase_has_a_time_or_is_recovery() -> None:
    step = {"id": "a", "title": "A", "kind": "manual", "guide": "Do it."}
    with pytest.raises(ValidationError, match="expected a time"):
        Phase.model_validate({"title": "Now", "steps": [step]})


def test_limits_have_a_blast_radius() -> None:
    with pytest.raises(ValidationError):
        Limits(blast_radius=0)


def test_a_file_that_is_no_playbook_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("playbook: bad\ntitle: 3\n", encoding="utf-8")
    with pytest.raises(PlaybookError, match=r"bad\.yaml"):
        load_playbook(file)
    with pytest.raises(PlaybookError, match="expected a playbook"):
        load_playbook(tmp_path / "gone.yaml")


def test_the_schema_takes_what_is_in_the_library() -> None:
    import jsonschema  # type: ignore[import-untyped]
    import yaml

    from serving.playbooks.definition import LIBRARY

    for file in LIBRARY.glob("*.yaml"):
        jsonschema.validate(yaml.safe_load(file.read_text(encoding="utf-8")), schema())
