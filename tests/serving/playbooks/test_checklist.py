"""Checklists: one for the desk for each playbook, as it was read and agreed to."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.playbooks.actions.catalogue import ACTIONS
from serving.playbooks.checklist import checklist, policy_table
from serving.playbooks.definition import load_library

GOLDEN = Path(__file__).parent / "golden"
BOOKS = load_library()


@pytest.mark.parametrize("name", BOOKS)
def test_each_reads_as_it_was_agreed(name: str) -> None:
    expected = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    assert checklist(BOOKS[name], ACTIONS) == expected


@pytest.mark.parametrize("name", BOOKS)
def test_every_step_is_on_it_once(name: str) -> None:
    shown = checklist(BOOKS[name], ACTIONS)
    assert shown.count("- [ ] ") == sum(1 for _ in BOOKS[name].steps)


def test_who_may_do_what_is_as_it_was_agreed() -> None:
    assert policy_table(ACTIONS) == (GOLDEN / "policy.md").read_text(encoding="utf-8")
