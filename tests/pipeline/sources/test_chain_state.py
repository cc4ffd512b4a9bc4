"""State is asked by the block's hash, of those a block touches, and of nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from pipeline.sources import chain_state
from pipeline.sources.chain import Chain
from pipeline.sources.chain_rows import Watched
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.source import SourceError
from tests.pipeline.simulate.chain.nodes import world


@pytest.fixture(scope="module")
def living() -> World:
    made = world()
    made.ledger.send(made.wallet("depositor0"), made.contracts["vault"], "deposit", value=ETHER)
    made.ledger.mine()
    return made


def state(living: World, watched: list[Watched] | None) -> Any:
    chain = Chain(Rpc([living.ledger.node]), watched=watched, confirmations=0)
    return chain.blocks.read(chain.blocks.head(), chain.blocks.head())[0].state


def test_a_deposit_adds_to_what_is_held_and_owed(living: World) -> None:
    found, vault = state(living, list(living.watched)), living.contracts["vault"].address
    assert set(found.after) == {vault}
    assert found.after[vault] == found.before[vault] + ETHER == found.liabilities[vault]


def test_nothing_is_asked_where_nobody_is_watched(living: World) -> None:
    assert state(living, None) == chain_state.State({}, {}, {}, {}, {})


def test_an_account_without_code_owes_nothing_that_is_known(living: World) -> None:
    person = living.wallet("depositor0").address
    found = state(living, [Watched(person, ether=True, owes="liabilities()")])
    assert set(found.after) == {person}
    assert found.liabilities == {}


def test_a_function_that_is_not_there_is_an_error(living: World) -> None:
    vault = living.contracts["vault"].address
    with pytest.raises(SourceError, match="reverted"):
        state(living, [Watched(vault, supply="totalSupply()")])
