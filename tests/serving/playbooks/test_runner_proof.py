"""Processes that run playbooks are killed: every effect is had once, and nothing is forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.simulate.chain import anvil
from pipeline.simulate.chain.world import World
from serving.playbooks.definition import Playbook
from serving.playbooks.simulated import SimulatedPlatform
from serving.store import audit
from serving.store.tables import outbox, run_steps, runs
from tests.pipeline.simulate.chain.nodes import START, running_anvil
from tests.postgres import postgres, postgres_url
from tests.serving.playbooks.proving import Proof, mining

__all__ = ["postgres", "postgres_url"]

BY_SIGNER = {"guardian": 1, "operator": 2, "admin": 1}
SAID = Counter(Paused=1, Blocked=1, ParameterChanged=1, Unpaused=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def proof(stack: ExitStack, folder: Path, store: str, *, on_chain: bool, most: int) -> Proof:
    platform = SimulatedPlatform()
    world = World(stack.enter_context(running_anvil()), seed=1, start=START) if on_chain else None
    made = Proof(folder, store, platform, stack.enter_context(platform.serve()), world, most)
    stack.callback(made.engine.dispose)
    stack.enter_context(mining(world))
    return made


def assert_exactly_once(made: Proof) -> None:
    """Each effect once, each step done, each time and approval as it was."""
    with made.engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(runs)).mappings()]
        rows = [dict(row) for row in connection.execute(sa.select(run_steps)).mappings()]
        told = Counter(row.dedup_key for row in connection.execute(sa.select(outbox)))
        assert audit.verify(connection) is None
    steps = {(row["run"], row["step"]): row for row in rows}
    assert [run["state"] for run in found] == ["done"] * made.started
    assert {row["state"] for row in rows} == {"done"}, [
        (row["step"], row["state"], row["why"]) for row in rows if row["state"] != "done"
    ]
    for run in found:
        playbook = Playbook.model_validate(run["definition"])
        for phase, step in playbook.steps:
            row = steps.pop((run["id"], step.id))
            if phase.at is not None:
                assert row["due_at"] - run["started_at"] == phase.at
            assert row["ended_at"] >= row["due_at"] - timedelta(microseconds=1)
            if step.kind == "approval":
                assert [one["who"] for one in row["approvals"]] == ["ann", "bob"][: step.people]
        assert told[f"{run['id']}:tell:chat"] == 1
    assert not steps
    effects = Counter((one.resource, str(one.state)) for one in made.platform.log)
    assert set(effects.values()) == {1}
    assert len(effects) == 3 * made.started  # gate, freeze, open
    if made.world is not None:
        assert made.sent() == {name: n * made.started for name, n in BY_SIGNER.items()}
        for vault in made.vaults[: made.started]:
            assert made.events(vault) == SAID


def test_three_kills_change_nothing(stack: ExitStack, tmp_path: Path) -> None:
    on_chain = anvil.find() is not None
    made = proof(stack, tmp_path, f"sqlite:///{tmp_path / 'store.db'}", on_chain=on_chain, most=3)
    assert made.kill(3, seed=1, seconds=0.4) == 3
    assert_exactly_once(made)


@pytest.mark.slow
def test_a_hundred_kills_change_nothing(stack: ExitStack, tmp_path: Path, store: str) -> None:
    made = proof(stack, tmp_path, store, on_chain=True, most=40)
    assert made.kill(100, seed=2, seconds=0.5) == 100
    assert_exactly_once(made)
