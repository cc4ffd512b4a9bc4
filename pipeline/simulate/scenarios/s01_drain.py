"""S1: a prepared attacker drains a vault with a flash loan and a hole, and leaves by a bridge."""

from __future__ import annotations

import numpy as np

from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import HOUR, MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

SENDER, ADDRESS = "transactions.sender_1m", "transactions.address_1m"


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Ether from the mixer; hours later a contract; then one transaction; then the bridge."""
    from pipeline.simulate.chain.attacks import Drain

    world = platform.chain
    assert world is not None
    drain = Drain(world, f"wallet {rng.integers(2**32)}")
    ready = at + platform.wait(rng.uniform(5, 6) * HOUR)
    struck = ready + platform.wait(rng.uniform(30, 50) * MINUTE)
    left = struck + 10 * MINUTE
    share, rounds = min(0.3 * strength, 0.9), int(rng.integers(6, 13))
    platform.on_chain(at, drain.fund)
    platform.on_chain(ready, drain.prepare)
    platform.on_chain(struck, lambda: drain.strike(share, rounds))
    platform.on_chain(left, drain.escape)
    attacker = drain.attacker.address.lower()
    vault = world.contracts["unsafe_vault"].address.lower()
    block = 2 * MINUTE
    return [
        Stage("funding", SENDER, world.wallets["operator"].address.lower(), at, at + block),
        Stage("preparation", SENDER, attacker, ready, ready + block),
        Stage("drain", SENDER, attacker, struck, struck + block),
        Stage("drain", ADDRESS, vault, struck, struck + block),
        Stage("escape", SENDER, attacker, left, left + block),
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """An arbitrageur's flash loan, which pays back with profit; then a whale takes what is its."""
    from pipeline.simulate.chain.attacks import arbitrage, whale_withdrawal

    world = platform.chain
    assert world is not None
    later = at + platform.wait(rng.uniform(30, 60) * MINUTE)
    ether = int(800 * min(strength, 2.0))
    platform.on_chain(at, lambda: arbitrage(world))
    platform.on_chain(later, lambda: whale_withdrawal(world, ether))
    keeper, whale = (world.wallets[w].address.lower() for w in ("arbitrageur", "whale1"))
    vault = world.contracts["vault"].address.lower()
    block = 2 * MINUTE
    return [
        Stage("arbitrage", SENDER, keeper, at, at + block),
        Stage("whale", SENDER, whale, later, later + block),
        Stage("whale", ADDRESS, vault, later, later + block),
    ]


SCENARIO = Scenario(
    1, "Flash loan and re-entrancy", ("transactions", "calls"), attack, decoy, needs="chain"
)
