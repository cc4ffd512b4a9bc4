"""S6: wash trading. A ring of accounts trades with itself to make a pair look lively."""

from __future__ import annotations

import numpy as np

from pipeline.simulate import agents
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import instructions
from pipeline.simulate.flow import SECOND
from pipeline.simulate.matching import ALLOW
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

RINGS = (1, 2, 5)
THIN = (4, 5, 6)
"""Pairs with a spread wide enough to trade inside."""
TRADES_1M, ORDERS_1M = "trades.symbol_1m", "orders.account_symbol_1m"


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """One of the ring offers inside the spread, the next takes it milliseconds later, in a circle.

    Everybody ends as it began. The accounts share a device and an address.
    """
    exchange, people = platform.exchange, platform.people
    s = int(rng.choice(THIN))
    pair = exchange.pairs[s]
    ring = [int(a) for a in rng.choice(people.traders[300:], int(rng.choice(RINGS)), replace=False)]
    address, device, agent = people.home(ring[0])
    for account in ring[1:]:
        people.link("account", people.name(account), "device", people.device(device))
        people.link("account", people.name(account), "ip", people.addresses[address].ip)
    for account in ring:
        platform.visits.visit(account, at, rng, via=(address, device, agent))
    lasts = int(rng.uniform(20, 60) * MINUTE)
    every = int(rng.uniform(4, 15) * SECOND / strength)
    offers = np.arange(at + MINUTE, at + MINUTE + lasts, every)
    offers = offers + rng.integers(0, every // 4, offers.size)
    takes = offers + rng.integers(3_000, 60_000, offers.size)
    turn = np.arange(offers.size)
    seller = np.array(ring)[turn % len(ring)]
    buyer = np.array(ring)[(turn + 1) % len(ring)]
    qty = exchange.lots(s, pair.value * rng.choice([2.0, 2.5, 4.0], offers.size))
    # Deep enough inside the spread to be the best, so that the next of the ring meets it.
    spread = int(np.exp(exchange.drive[s, 0]) * pair.half_spread)
    handle = exchange.new_handles(offers.size)
    exchange.submit(
        instructions(
            offers, agents.PEGGED, s, account=seller, side=SELL, qty=qty,
            price=-rng.integers(spread // 2, spread, offers.size), policy=ALLOW, handle=handle,
        )
    )  # fmt: skip
    exchange.submit(
        instructions(takes, agents.MARKET, s, account=buyer, side=BUY, qty=qty, policy=ALLOW)
    )
    exchange.submit(instructions(takes + 1, agents.CANCEL, s, handle=handle))
    end = int(takes[-1]) + SECOND
    stages = [Stage("washing", TRADES_1M, pair.symbol, at + MINUTE, end)]
    return stages + [
        Stage("washing", ORDERS_1M, f"{people.name(a)}|{pair.symbol}", at + MINUTE, end)
        for a in ring
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """An arbitrage program: one size again and again, flat in the end, but against the makers."""
    exchange, people = platform.exchange, platform.people
    s = int(rng.choice(THIN))
    pair = exchange.pairs[s]
    account = int(rng.choice(people.traders[:40]))
    lasts = int(rng.uniform(20, 60) * MINUTE)
    every = int(rng.uniform(4, 15) * SECOND / strength)
    when = np.arange(at + MINUTE, at + MINUTE + lasts, every)
    when = when + rng.integers(0, every // 4, when.size)
    qty = exchange.lots(s, pair.value * 2.0)
    side = np.where(np.arange(when.size) % 2 == 0, BUY, SELL)
    exchange.submit(instructions(when, agents.MARKET, s, account=account, side=side, qty=qty))
    end = int(when[-1]) + SECOND
    entity = f"{people.name(account)}|{pair.symbol}"
    return [
        Stage("arbitrage", TRADES_1M, pair.symbol, at + MINUTE, end),
        Stage("arbitrage", ORDERS_1M, entity, at + MINUTE, end),
    ]


SCENARIO = Scenario(6, "Wash trading", ("trades", "orders", "access"), attack, decoy)
