"""A wake-up that cannot be had costs nothing but the clock's patience."""

from __future__ import annotations

from datetime import timedelta
from threading import active_count

from pipeline.simulate.chain.ledger import Ledger
from pipeline.sources.chain_wake import WakeUp
from tests.pipeline.simulate.chain.nodes import START, pay, running_anvil

PATIENCE = 120.0


def test_where_nobody_listens_it_tries_again_until_it_is_closed() -> None:
    before = active_count()
    woken = WakeUp("ws://127.0.0.1:9", pause=0.01)
    while woken.counts["broken"] < 3:
        assert not woken.wait(0.01)
    woken.close()
    woken.close()
    assert active_count() == before


def test_a_connection_and_every_head_after_it_wake_whoever_waits() -> None:
    with running_anvil() as anvil:
        on = Ledger(anvil, START, timedelta(seconds=12))
        woken = WakeUp(anvil.websocket, pause=0.01)
        try:
            assert woken.wait(PATIENCE)
            for heads in (1, 2, 3):
                pay(on)
                assert woken.wait(PATIENCE)
                assert woken.counts["heads"] == heads
            assert woken.counts["connected"] == 1
        finally:
            woken.close()


def test_a_node_that_goes_away_is_called_again() -> None:
    with running_anvil() as anvil:
        woken = WakeUp(anvil.websocket, pause=0.01)
        assert woken.wait(PATIENCE)
    try:
        while woken.counts["broken"] < 2:
            woken.wait(0.01)
    finally:
        woken.close()
    assert woken.counts["connected"] == 1
