"""S2: an admin's key is in other hands: an odd login, then a role, an upgrade and a mint."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.simulate.flow import SECOND
from pipeline.simulate.people import BROWSERS, FIRST_STAFF, PLACES
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.s03_account_takeover import HOSTING
from pipeline.simulate.scenarios.scenario import HOUR, MINUTE, Scenario, Stage
from pipeline.simulate.visits import CUSTOMERS, SUCCESS

__all__ = ["SCENARIO"]

PERSON, SENDER, ADDRESS = "access.account_5m", "transactions.sender_1m", "transactions.address_1m"
SIGNER = FIRST_STAFF
"""The employee who holds the admin's key."""


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """The signer logs in from a hosting firm on a new device; within two hours the key acts."""
    from pipeline.simulate.chain.attacks import AdminTheft

    world, people = platform.chain, platform.people
    assert world is not None
    thief = AdminTheft(world, f"wallet {rng.integers(2**32)}")
    place = int(rng.integers(len(PLACES)))
    address = people.new_address(rng, place, asn=str(rng.choice(HOSTING)))
    _console(platform, at, address, people.new_device(), rng)
    granted = at + platform.wait(rng.uniform(10, 100) * MINUTE)
    upgraded, minted = granted + 5 * MINUTE, granted + 10 * MINUTE
    times = max(round(2 * strength), 1)
    platform.on_chain(granted, thief.grant)
    platform.on_chain(upgraded, thief.upgrade)
    platform.on_chain(minted, lambda: thief.mint(times))
    admin = world.wallets["admin"].address.lower()
    vault, token = (world.contracts[name].address.lower() for name in ("vault", "token"))
    block = 2 * MINUTE
    return [
        Stage("odd login", PERSON, people.name(SIGNER), at, at + 5 * MINUTE),
        Stage("privilege", SENDER, admin, granted, granted + block),
        Stage("upgrade", ADDRESS, vault, upgraded, upgraded + block),
        Stage("mint", ADDRESS, token, minted, minted + block),
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """The signer travels, with the usual device; the upgrade was announced before.

    In two days one comes anywhere, in less only into another network of the same town.
    """
    world, people = platform.chain, platform.people
    assert world is not None
    admin, vault = world.wallets["admin"], world.contracts["vault"]
    implementation = people.new_wallet(rng)
    done = at + round(world.timelock.total_seconds()) * SECOND + HOUR
    far = len(PLACES) if world.timelock.days else 1
    address = people.new_address(rng, int(rng.integers(far)))
    platform.visits.away[SIGNER] = (at, done + 12 * HOUR)
    _console(platform, done - 30 * MINUTE, address, 900_000, rng)

    def send(function: str) -> None:
        world.ledger.send(admin, vault, function, implementation)
        world.act(1)

    platform.on_chain(at, lambda: send("schedule_upgrade"))
    platform.on_chain(done, lambda: send("upgrade"))
    block = 2 * MINUTE
    return [
        Stage("announced", ADDRESS, vault.address.lower(), at, at + block),
        Stage("travel", PERSON, people.name(SIGNER), done - 30 * MINUTE, done - 25 * MINUTE),
        Stage("upgrade", ADDRESS, vault.address.lower(), done, done + block),
    ]


def _console(
    platform: Platform, at: int, address: int, device: int, rng: np.random.Generator
) -> None:
    """The signer logs in and looks at the console."""
    visits = platform.visits
    who: dict[str, Any] = {
        "account": SIGNER, "ip": address, "device": device, "agent": int(rng.integers(BROWSERS)),
        "session": visits.new_session(),
    }  # fmt: skip
    visits.login(at, SUCCESS, who)
    visits.put(at + np.arange(1, 6) * 10 * SECOND, endpoint=CUSTOMERS, **who)


SCENARIO = Scenario(
    2, "Admin key in other hands", ("access", "transactions", "calls"), attack, decoy, needs="chain"
)
