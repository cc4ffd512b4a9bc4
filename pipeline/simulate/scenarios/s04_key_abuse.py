"""S4: an API key is stolen; with it orders are read in sequence, and then a burst is traded."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.simulate import agents
from pipeline.simulate.exchange import instructions
from pipeline.simulate.flow import SECOND
from pipeline.simulate.people import AGENTS, KEYED, PLACES
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.s03_account_takeover import HOSTING
from pipeline.simulate.scenarios.scenario import MINUTE, Scenario, Stage
from pipeline.simulate.visits import BALANCES, DEPTH, ORDER, ORDERS, TRADE, WITHDRAW_ORDER

__all__ = ["SCENARIO"]

KEY, IP = "access.key_1m", "access.ip_1m"


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Order numbers of others one after the other, mostly refused; the owner's program goes on."""
    people, visits = platform.people, platform.visits
    key = 3 + int(rng.integers(KEYED))
    account, _ = people.keys[key]
    place = int(rng.integers(len(PLACES)))
    address = people.new_address(rng, place, asn=str(rng.choice(HOSTING)))
    lasts = int(rng.uniform(5, 15) * MINUTE)
    count = int(lasts / SECOND * rng.uniform(3, 8) * strength)
    when = at + np.sort(rng.integers(0, lasts, count))
    first = int(rng.integers(10_000_000, 20_000_000))
    status = rng.choice([403, 404, 200, 429], count, p=[0.5, 0.25, 0.1, 0.15])
    who: dict[str, Any] = {
        "account": account,
        "ip": address,
        "device": people.new_device(),
        "key": key,
    }
    visits.put(
        when, endpoint=ORDER, object=first + np.arange(count), status=status,
        agent=len(AGENTS) - 2, **who,
    )  # fmt: skip
    begin, trades = at + lasts, int(150 * strength)
    burst = begin + np.sort(rng.integers(0, 2 * MINUTE, trades))
    visits.put(burst, endpoint=TRADE, agent=len(AGENTS) - 2, **who)
    s = int(rng.integers(4))
    value = platform.exchange.pairs[s].value * rng.lognormal(0, 0.3, trades)
    platform.exchange.submit(
        instructions(
            burst, agents.MARKET, s, account=account, side=rng.integers(0, 2, trades),
            qty=platform.exchange.lots(s, value),
        )
    )  # fmt: skip
    end, name, ip = begin + 2 * MINUTE, people.key(key), people.addresses[address].ip
    return [
        Stage("enumeration", KEY, name, at, begin),
        Stage("enumeration", IP, ip, at, begin),
        Stage("trading burst", KEY, name, begin, end),
        Stage("trading burst", IP, ip, begin, end),
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """A firm's own program in a hurry at funding time: as many requests, its own, and answered."""
    people, visits = platform.people, platform.visits
    key = 3 + int(rng.integers(KEYED))
    account, _ = people.keys[key]
    address, device, _ = people.home(account)
    lasts = int(rng.uniform(5, 15) * MINUTE)
    count = int(lasts / SECOND * rng.uniform(3, 8) * strength)
    habit = np.array([TRADE, WITHDRAW_ORDER, DEPTH, ORDERS, BALANCES])
    visits.put(
        at + np.sort(rng.integers(0, lasts, count)),
        endpoint=habit[rng.choice(5, count, p=[0.4, 0.35, 0.15, 0.07, 0.03])],
        object=10_000_000 + rng.integers(0, 10**7, count), account=account, ip=address,
        device=device, key=key, agent=len(AGENTS) - 1 - key % 2,
    )  # fmt: skip
    return [
        Stage("funding burst", KEY, people.key(key), at, at + lasts),
        Stage("funding burst", IP, people.addresses[address].ip, at, at + lasts),
    ]


SCENARIO = Scenario(4, "API key abuse", ("access", "orders", "trades"), attack, decoy)
