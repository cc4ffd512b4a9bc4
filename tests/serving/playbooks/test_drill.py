"""Drills: every playbook is played to its end against an incident that goes on until stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.simulate.chain.anvil import find
from serving.coverage import requirements
from serving.playbooks.definition import PlaybookError, load_library
from serving.playbooks.drill import drill

BOOKS = load_library()
OTHERS = sorted(set(BOOKS) - {"contract_compromise"})
SLOW = pytest.mark.slow


@pytest.fixture(scope="module")
def robbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """S1 on a chain in this process."""
    return drill(BOOKS["contract_compromise"], tmp_path_factory.mktemp("drill"))


def went_well(grade: dict[str, Any]) -> None:
    """Every step has its outcome, nothing is late, wrong or open, and it closed only documented."""
    name = grade["playbook"]
    assert [one["step"] for one in grade["steps"]] == [step.id for _, step in BOOKS[name].steps]
    for what in ("late", "failed", "held", "open", "empty"):
        assert grade[what] == [], (name, what)
    assert grade["closed"] == {"undocumented": False, "in_the_end": True}
    assert all(grade["undo"].values())
    assert grade["lost"] < grade["lost_without"]
    assert grade["passed"]


@SLOW
def test_the_drain_is_contained_within_a_block_of_the_first(robbed: dict[str, Any]) -> None:
    assert robbed["detected_after"] <= 12  # the window of the first block that harmed
    assert robbed["time_to_contain"] == {"seconds": 12.0, "blocks": 1}
    assert robbed["undo"] == {"pause": True, "gate_withdrawals": True, "gate_trading": True}
    assert robbed["lost"] > 0
    went_well(robbed)


@SLOW
def test_every_step_of_the_seed_is_there_with_its_outcome(robbed: dict[str, Any]) -> None:
    seed = [name for name in requirements() if name.startswith("SC-") and name[3] != "D"]
    assert len(seed) > 20
    assert list(robbed["requirements"]) == sorted(seed)
    for name, states in robbed["requirements"].items():
        # What a gate names otherwise is skipped where the gate held.
        assert "done" in states.values(), name
        assert set(states.values()) <= {"done", "skipped"}, name


@SLOW
@pytest.mark.skipif(find() is None, reason="no anvil here")
def test_nothing_is_lost_where_waiting_transactions_are_seen(tmp_path: Path) -> None:
    grade = drill(BOOKS["contract_compromise"], tmp_path, anvil=True)
    assert grade["time_to_contain"] == {"seconds": 0.0, "blocks": 0}
    assert grade["lost"] == 0
    went_well(grade)


@SLOW
@pytest.mark.parametrize("name", OTHERS)
def test_each_playbook_stops_the_harm_and_ends(name: str, tmp_path: Path) -> None:
    went_well(drill(BOOKS[name], tmp_path))


def test_only_one_playbook_is_drilled_on_a_node(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match="expected contract_compromise"):
        drill(BOOKS["market_abuse"], tmp_path, anvil=True)
