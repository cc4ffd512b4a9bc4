"""CACAO 2.0: what goes out keeps the specification's laws."""

from __future__ import annotations

import pytest

from serving.playbooks.cacao import EXTENSION, exported
from serving.playbooks.cacao_rules import faults
from serving.playbooks.definition import load_library
from tests.serving.playbooks.running import NOON, playbook

BOOKS = load_library()


@pytest.mark.parametrize("name", BOOKS)
def test_each_playbook_keeps_the_laws(name: str) -> None:
    assert faults(exported(BOOKS[name], now=NOON)) == []


def test_the_same_playbook_has_the_same_identifiers() -> None:
    assert exported(playbook(), now=NOON) == exported(playbook(), now=NOON)


@pytest.mark.parametrize("name", BOOKS)
def test_a_phase_of_one_branch_is_a_chain(name: str) -> None:
    """As the published schema has it: a parallel step has two branches or is none."""
    document = exported(BOOKS[name], now=NOON)
    steps = document["workflow"].values()
    assert all(len(s["next_steps"]) > 1 for s in steps if s["type"] == "parallel")
    begins = [s for s in steps if "phase" in s.get("step_extensions", {}).get(EXTENSION, {})]
    parallel = [s for s in steps if s["type"] == "parallel"]
    assert len(begins) + len(parallel) == len(BOOKS[name].phases)
