"""Calls on a real node: settled as deep as was asked for, whatever the chain takes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.playbooks.action import ActionError
from tests.pipeline.simulate.chain.nodes import running_anvil
from tests.serving.playbooks.actions.acting import Bench, action, stored, world


@pytest.fixture
def on_anvil(tmp_path: Path) -> Iterator[Bench]:
    with running_anvil() as node:
        made = Bench(tmp_path, world(node))
        yield made
        made.engine.dispose()


def test_a_pause_is_done_when_it_is_final_and_sent_again_when_it_was_taken_back(
    on_anvil: Bench,
) -> None:
    assert on_anvil.living is not None
    ledger, guardian = on_anvil.living.ledger, on_anvil.living.wallet("guardian")
    pause, context = action("chain.pause"), on_anvil.context()
    on_anvil.do("chain.pause", contract="vault")
    on_anvil.mine(100)
    on_anvil.do("chain.unpause", contract="vault")
    # That it was paused once, as deep as can be, says nothing of this pause.
    intent = stored(pause.prepare(context, {"contract": "vault", "settled": "finalized"}))
    for expected in ("not mined yet", "not finalized yet"):
        with pytest.raises(ActionError, match=expected):
            pause.perform(context, intent)
        on_anvil.mine()
    assert not pause.verify(context, intent)
    ledger.request("anvil_reorg", 2, [])
    assert on_anvil.chain.ask(intent["contract"], "paused()") == 0
    with pytest.raises(ActionError, match="not mined yet"):
        pause.perform(context, intent)
    ledger.time += 60
    on_anvil.mine(100)
    done = pause.perform(context, intent)
    assert pause.verify(context, intent)
    assert done.facts["transaction"] in intent["hashes"]
    assert int(ledger.request("eth_getTransactionCount", guardian.address, "latest"), 16) == 2


def test_everything_that_stops_a_contract_is_taken_back(on_anvil: Bench) -> None:
    who = "0x00000000000000000000000000000000000000aa"
    for name, back, given in (
        ("chain.pause", "chain.unpause", {}),
        ("chain.block_address", "chain.unblock_address", {"address": who}),
    ):
        on_anvil.do(name, contract="vault", **given)
        on_anvil.do(back, contract="vault", **given)
    vault = on_anvil.chain.contracts["vault"]
    assert on_anvil.chain.ask(vault, "paused()") == 0
    assert on_anvil.chain.ask(vault, "blocked(address)", who) == 0
