"""An attack that waits is seen before it happens, and a pause overtakes it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.ledger import ETHER
from pipeline.simulate.chain.world import World
from pipeline.sources.chain_pending import pending, simulate_pending
from pipeline.sources.chain_rpc import Rpc
from pipeline.sources.source import SourceError
from tests.pipeline.simulate.chain.nodes import node, running_anvil, world


@pytest.fixture(params=["in process", "anvil"])
def living(request: pytest.FixtureRequest) -> Iterator[World]:
    with ExitStack() as stack:
        on: Any = node() if request.param == "in process" else None
        yield world(on or stack.enter_context(running_anvil()))


def test_an_attack_is_seen_and_a_pause_mined_before_it(living: World) -> None:
    drain = attacks.Drain(living)
    drain.fund()
    drain.prepare()
    rpc, vault = Rpc([living.ledger.node]), living.contracts["unsafe_vault"]
    before = living.ledger.balance(vault.address)
    honest = living.ledger.send(living.wallet("depositor0"), vault, "deposit", value=ETHER)
    attack = drain.send(0.3)
    waiting = {w.hash: w for w in pending(rpc)}
    assert waiting.keys() == {honest, attack}
    seen = simulate_pending(rpc, waiting[attack])
    assert seen.success
    assert vault.address in seen.reentered
    assert seen.flows[vault.address] == pytest.approx(-0.3 * before, rel=1e-9)
    calm = simulate_pending(rpc, waiting[honest])
    assert (calm.success, calm.reentered) == (True, ())
    assert calm.flows == {living.wallet("depositor0").address: -ETHER, vault.address: ETHER}
    # Simulating has changed nothing.
    assert living.ledger.balance(vault.address) == before
    guardian = living.wallet("guardian")
    living.ledger.send(guardian, vault, "pause", tip=5 * waiting[attack].tip)
    living.ledger.mine()
    assert living.ledger.receipt(attack)["status"] == "0x0"
    assert living.ledger.balance(vault.address) == before


@pytest.mark.parametrize(
    "answer", [None, {}, {"transactions": [1]}, {"transactions": [{}]}, {"transactions": {}}]
)
def test_a_pending_block_that_is_none_is_refused(answer: Any) -> None:
    class Told:
        def make_request(self, method: str, params: Any) -> Any:
            return {"result": answer}

        def make_batch_request(self, requests: Any) -> Any:
            return []

    with pytest.raises(SourceError):
        pending(Rpc([Told()]))
