"""S5: spoofing. Large orders that are not meant, to move the price for small ones that are."""

from __future__ import annotations

import numpy as np

from pipeline.simulate import agents
from pipeline.simulate.book import BUY
from pipeline.simulate.exchange import instructions
from pipeline.simulate.flow import SECOND
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

VIEWS = ("orders.account_symbol_5s", "orders.account_symbol_1m")
LIQUID = 5
"""Pairs that are worth it: the first five."""


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Large orders behind the best bid, a small sale while they draw the makers up, all withdrawn.

    Or the other way round. The sale comes 2 to 6 s after the large orders, and these are
    withdrawn within a second and a half after it.
    """
    exchange = platform.exchange
    s = int(rng.integers(LIQUID))
    pair = exchange.pairs[s]
    account = int(rng.choice(platform.people.traders[200:2_000]))
    rounds = int(rng.integers(8, 20) * strength) + 2
    begin, end = at, at
    for _ in range(rounds):
        side = int(rng.integers(2))
        layers = int(rng.integers(1, 5))
        handles = exchange.new_handles(layers)
        large = exchange.lots(s, pair.value * strength * rng.uniform(60, 140, layers) / layers)
        enters = begin + np.sort(rng.integers(0, SECOND // 2, layers))
        sale = begin + int(rng.uniform(2, 6) * SECOND)
        end = sale + int(rng.uniform(0.3, 1.5) * SECOND)
        behind = rng.integers(1, 6, layers)
        small = exchange.lots(s, pair.value * strength * rng.uniform(1, 2.5))
        exchange.submit(
            instructions(
                enters, agents.PEGGED, s, account=account, side=side, qty=large, price=behind,
                handle=handles,
            )
        )  # fmt: skip
        exchange.submit(
            instructions(sale, agents.MARKET, s, account=account, side=1 - side, qty=small)
        )
        exchange.submit(instructions(end + np.arange(layers), agents.CANCEL, s, handle=handles))
        begin = end + int(rng.uniform(5, 40) * SECOND)
    entity = f"{platform.people.name(account)}|{pair.symbol}"
    return [Stage("spoofing", view, entity, at, end + SECOND) for view in VIEWS]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """A maker follows a wild price: it withdraws nearly all it enters, on both sides alike."""
    exchange = platform.exchange
    s, maker = int(rng.integers(LIQUID)), 0
    pair = exchange.pairs[s]
    lasts = int(rng.uniform(4, 12) * MINUTE)
    shakes = np.arange(at, at + lasts, SECOND // 2)
    step = 6 * strength * pair.volatility * np.sqrt(0.5 / 86_400)
    moves = rng.normal(0, step, shakes.size)
    moves -= moves.mean()
    scaled = np.rint(moves * agents.SCALE)
    exchange.submit(instructions(shakes, agents.MOVE, s, price=scaled))
    looks = shakes + rng.integers(SECOND // 10, SECOND // 2, shakes.size)
    exchange.submit(instructions(looks, agents.QUOTE, s, account=maker))
    takers = rng.choice(platform.people.traders[:500], shakes.size // 10)
    when = at + np.sort(rng.integers(0, lasts, takers.size))
    qty = exchange.lots(s, pair.value * rng.lognormal(0, 1, takers.size))
    side = np.where(rng.random(takers.size) < 0.5, BUY, 1 - BUY)
    exchange.submit(instructions(when, agents.MARKET, s, account=takers, side=side, qty=qty))
    entity = f"{platform.people.name(maker)}|{pair.symbol}"
    return [Stage("volatility", view, entity, at, at + lasts) for view in VIEWS]


SCENARIO = Scenario(5, "Spoofing and layering", ("orders", "trades"), attack, decoy)
