"""A real node tells the same story as the one in this process."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from features.calls import CALLS
from features.stream import Stream
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain import anvil, attacks
from pipeline.simulate.chain.ledger import Node
from pipeline.sources.chain import Chain
from pipeline.sources.chain_rpc import Rpc
from tests.pipeline.simulate.chain.nodes import node, rows, running_anvil, world


def story(on: Node) -> Chain:
    living = world(on)
    living.act(4)
    drain = attacks.Drain(living)
    drain.fund()
    drain.prepare()
    drain.strike()
    attacks.AdminTheft(living).grant()
    attacks.arbitrage(living)
    return Chain(Rpc([on]), watched=living.watched, confirmations=0)


def test_both_nodes_tell_the_same_story() -> None:
    ours = story(node())
    with running_anvil() as real:
        theirs = story(real)
        for stream in (TRANSACTIONS, CALLS):
            assert told(ours, stream).equals(told(theirs, stream))


def told(chain: Chain, stream: Stream) -> pl.DataFrame:
    # The nodes have different chain ids, so that hashes differ, and price gas differently.
    return rows(chain, stream).drop("hash", "tx", "gas_price", strict=False)


def test_a_program_that_does_not_start_says_what_it_said(tmp_path: Path) -> None:
    program = tmp_path / "anvil"
    program.write_text("#!/bin/sh\necho no such port\n")
    program.chmod(0o755)
    with pytest.raises(OSError, match="no such port"), anvil.run(str(program), 0):
        pass
