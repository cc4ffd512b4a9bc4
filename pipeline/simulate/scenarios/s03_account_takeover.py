"""S3: credential stuffing, then accounts taken over, keys made and balances withdrawn."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.simulate.flow import SECOND
from pipeline.simulate.people import BROWSERS, PLACES
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import MINUTE, Scenario, Stage
from pipeline.simulate.visits import ACCOUNT, BALANCES, FAILURE, MFA, NEW_KEY, SUCCESS

__all__ = ["SCENARIO"]

IP, ASN, PERSON = "access.ip_1m", "access.asn_1m", "access.account_5m"
HOSTING = ("AS14061", "AS16276", "AS24940")
"""Systems of hosting firms, where no customer lives."""


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Leaked passwords are tried, 1 or 2 a user; the few that fit are emptied within the hour."""
    people, visits = platform.people, platform.visits
    system = str(rng.choice(HOSTING))
    addresses = [
        people.new_address(rng, int(rng.integers(len(PLACES))), asn=system)
        for _ in range(int(rng.integers(3, 9)))
    ]
    lasts = int(rng.uniform(15, 40) * MINUTE)
    tried = rng.choice(people.traders, int(lasts / MINUTE * 30 * strength), replace=False)
    when = np.sort(at + rng.integers(0, lasts, tried.size))
    address = np.array(addresses)[rng.integers(0, len(addresses), tried.size)]
    opens = rng.random(tried.size) < 0.012
    opens[tried.size // 3] = True
    again = rng.random(tried.size) < 0.4
    device = people.new_device()
    who: dict[str, Any] = {"device": device, "agent": BROWSERS}
    visits.login(when, np.where(opens, SUCCESS, FAILURE), {"account": tried, "ip": address, **who})
    late = again & ~opens
    more = {"account": tried[late], "ip": address[late], **who}
    visits.login(when[late] + 2 * SECOND, np.full(int(late.sum()), FAILURE), more)
    end = at + lasts + 3 * SECOND
    stages = [Stage("stuffing", IP, people.addresses[a].ip, at, end) for a in addresses]
    stages.append(Stage("stuffing", ASN, system, at, end))
    wallet = people.new_wallet(rng)
    for account, seen in zip(tried[opens].tolist(), when[opens].tolist(), strict=True):
        begin = seen + int(rng.uniform(2, 20) * MINUTE)
        drained = _drain(platform, account, begin, addresses[0], wallet, rng)
        stages.append(Stage("takeover", PERSON, people.name(account), seen, begin))
        stages.append(Stage("drain", PERSON, people.name(account), begin, drained + SECOND))
    return stages


def _drain(
    platform: Platform, account: int, begin: int, address: int, to: str, rng: np.random.Generator
) -> int:
    """Log in from a new device, look, reset the second factor, make a key, withdraw twice."""
    people, visits = platform.people, platform.visits
    who: dict[str, Any] = {
        "account": account,
        "ip": address,
        "device": people.new_device(),
        "agent": int(rng.integers(BROWSERS)),
        "session": visits.new_session(),
    }
    visits.login(begin, SUCCESS, who)
    steps = begin + np.cumsum(rng.uniform(4, 40, 5) * SECOND).astype(np.int64)
    visits.put(steps[:3], endpoint=np.array([ACCOUNT, BALANCES, MFA]), **who)
    key = people.new_key(account, made=int(steps[3]))
    visits.put(steps[3], kind="key_created", endpoint=NEW_KEY, outcome=SUCCESS, key=key, **who)
    amount = float(np.exp(rng.normal(8, 0.8)))
    visits.withdraw(int(steps[4]), amount, to, who | {"key": key})
    last = int(steps[4] + rng.uniform(60, 240) * SECOND)
    visits.withdraw(last, amount * float(rng.uniform(0.1, 0.5)), to, who | {"key": key})
    return last


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Hundreds behind one mobile carrier's address log in again: each a customer, each gets in."""
    people, visits = platform.people, platform.visits
    place = int(rng.integers(len(PLACES)))
    address = people.carrier(place)[0]
    lasts = int(rng.uniform(15, 40) * MINUTE)
    here = np.array([a for a in people.traders.tolist() if people.place(a) == place])
    users = rng.choice(here, min(int(lasts / MINUTE * 15 * strength), here.size), replace=False)
    for account, begin in zip(
        users.tolist(), (at + rng.integers(0, lasts, users.size)).tolist(), strict=True
    ):
        _, device, _ = people.home(account)
        visits.visit(account, begin, rng, via=(address, device + 1, 1 + account % 2))
    return [Stage("new logins", IP, people.addresses[address].ip, at, at + lasts)]


SCENARIO = Scenario(
    3, "Credential stuffing, account takeover, withdrawals", ("access",), attack, decoy
)
