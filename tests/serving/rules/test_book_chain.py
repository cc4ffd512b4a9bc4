"""Rules over what a follower gives: who prepares is told before he strikes, the honest are not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from features.contracts import ADDRESS_12S
from features.extract import extract
from features.transactions import TRANSACTIONS
from pipeline.simulate.chain import attacks
from pipeline.simulate.chain.world import World
from pipeline.sources.chain import Chain
from pipeline.sources.chain_rpc import Rpc
from serving.rules.book import RuleBook
from serving.rules.breach import Breach
from serving.rules.correlate import Correlator
from serving.rules.load import PACKS, load_packs
from serving.severity import Severity
from tests.pipeline.simulate.chain.nodes import rows, world

RULES = load_packs([PACKS / "contracts.yaml"])
Move = Callable[[World], object]


def judged(living: World) -> list[Breach]:
    """What the rules and their correlations say of all blocks so far."""
    on: Any = living.ledger.node
    labels = {living.contracts["mixer"].address: "mixer"}
    chain = Chain(Rpc([on]), watched=living.watched, confirmations=0, labels=labels)
    windows = extract(ADDRESS_12S, rows(chain, TRANSACTIONS))
    found = RuleBook(RULES).breaches(ADDRESS_12S.name, windows)
    joined = Correlator(RULES).breaches(found, at=windows["end"].to_list()[-1])
    return [*found, *joined]


def test_an_attack_is_told_as_high_before_it_strikes() -> None:
    living = world()
    living.act(3)
    drain = attacks.Drain(living)
    drain.fund()
    assert "story.preparation" not in {breach.rule for breach in judged(living)}
    drain.prepare()
    living.act(2)
    (told,) = [breach for breach in judged(living) if breach.rule == "story.preparation"]
    assert drain.contract is not None
    assert (told.entity, told.severity) == (drain.contract.address, Severity.HIGH)
    assert told.end <= living.ledger.now
    assert "contract.reserves.critical" not in {breach.rule for breach in judged(living)}


@pytest.mark.parametrize(
    "twin", [attacks.arbitrage, attacks.whale_withdrawal, attacks.announced_upgrade]
)
def test_honest_twins_prepare_nothing(twin: Move) -> None:
    living = world()
    living.act(3)
    twin(living)
    told = {breach.rule for breach in judged(living)}
    assert not told & {"story.preparation", "contract.mixer.medium", "contract.reserves.critical"}
