"""CACAO 2.0 read back: ours as it was, others' as steps that people do."""

from __future__ import annotations

from typing import Any

import pytest

from serving.playbooks.cacao import exported
from serving.playbooks.cacao_import import imported
from serving.playbooks.definition import PlaybookError, load_library
from tests.serving.playbooks.running import NOON, playbook

BOOKS = load_library()


@pytest.mark.parametrize("name", BOOKS)
def test_ours_comes_back_as_it_was(name: str) -> None:
    book = BOOKS[name]
    again = imported(exported(book, now=NOON))
    assert [phase.title for phase in again.phases] == [phase.title for phase in book.phases]
    assert [phase.at for phase in again.phases] == [phase.at for phase in book.phases]
    assert {s.id: s for _, s in again.steps} == {s.id: s for _, s in book.steps}


def foreign() -> dict[str, Any]:
    document = exported(playbook(), now=NOON)
    for step in document["workflow"].values():
        step.pop("step_extensions", None)
        if step["type"] == "action":
            step["commands"] = [{"type": "bash", "command": "rm -rf /"}]
    return document


def test_what_others_wrote_never_acts_by_itself() -> None:
    steps = [step for _, step in imported(foreign()).steps]
    assert {step.kind for step in steps} == {"manual"}
    assert {step.guide for step in steps} == {"rm -rf /"}


def test_what_does_not_map_is_refused() -> None:
    with pytest.raises(PlaybookError, match=r"expected cacao-2\.0"):
        imported({"type": "playbook", "spec_version": "cacao-1.1"})
    document = foreign()
    action = next(n for n in document["workflow"] if n.startswith("action--"))
    document["workflow"][action]["type"] = "while-condition"
    with pytest.raises(PlaybookError, match="while-condition"):
        imported(document)
