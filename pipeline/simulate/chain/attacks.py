"""What goes wrong on a chain, move by move, and the honest moves that look like it.

A scenario plays these moves with normal life between them (`World.act`). Each returns what is
true of it: the stage, who takes part, from when to when, and the transactions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from web3 import Web3

from pipeline.simulate.chain.ledger import ETHER, Contract, Wallet
from pipeline.simulate.chain.world import World

__all__ = ["AdminTheft", "Drain", "Move", "announced_upgrade", "arbitrage", "whale_withdrawal"]

ATTACK_GAS = 6_000_000


@dataclass(frozen=True)
class Move:
    """What is true of a move.

    Parameters
    ----------
    stage : str
        ``funding``, ``preparation``, ``attack``, ``escape``, ``privilege``, ``upgrade``,
        ``mint``; ``benign`` for honest moves.
    entities : tuple of str
        Addresses, the actor first, then what it acts upon.
    start, end : datetime
        Times of the first and the last block of the move.
    transactions : tuple of str
        Hashes.
    """

    stage: str
    entities: tuple[str, ...]
    start: datetime
    end: datetime
    transactions: tuple[str, ...]


def _mined(
    world: World, stage: str, entities: Sequence[Wallet | Contract | str], sent: Sequence[str]
) -> Move:
    """Mine what was sent and say what became true."""
    world.ledger.mine()
    names = tuple(e if isinstance(e, str) else e.address for e in entities)
    now = world.ledger.now
    return Move(stage, names, now, now, tuple(sent))


class Drain:
    """A flash loan and a hole: an UnsafeVault is emptied in one transaction (SCENARIOS.md, S1).

    Parameters
    ----------
    world : World
        Deployed.
    name : str
        Of the attacker; another name is another address.
    """

    def __init__(self, world: World, name: str = "attacker") -> None:
        self._world = world
        self.attacker = world.wallet(name)
        self.contract: Contract | None = None

    def fund(self) -> Move:
        """Ten ether from the mixer to an address that never was used."""
        sent = self._world.unmix(self.attacker.address)
        parties = (self.attacker, self._world.contracts["mixer"])
        return _mined(self._world, "funding", parties, [sent])

    def prepare(self) -> Move:
        """Deploy the contract that will attack."""
        of, ledger = self._world.contracts, self._world.ledger
        self.contract = ledger.deploy(self.attacker, "Attacker", of["lender"], of["unsafe_vault"])
        made = ledger.request("eth_getBlockByNumber", "latest", False)["transactions"]
        parties = (self.attacker.address, self.contract.address)
        return Move("preparation", parties, ledger.now, ledger.now, tuple(made))

    def send(self, share: float = 0.3, rounds: int = 10, tip: int = 10**9) -> str:
        """Send the draining transaction, to be mined with the next block; its hash.

        Parameters
        ----------
        share : float
            Of the vault's ether, above 0 and at most 0.9.
        rounds : int
            How often the deposit is taken out, at least 2; the vault holds it once.
        """
        if self.contract is None:
            raise ValueError("the attack is not prepared; expected prepare() before it")
        ledger = self._world.ledger
        held = ledger.balance(self._world.contracts["unsafe_vault"].address)
        loan = round(share * held / (rounds - 1))
        arguments = (loan, rounds)
        return ledger.send(
            self.attacker, self.contract, "attack", *arguments, gas=ATTACK_GAS, tip=tip
        )

    def strike(self, share: float = 0.3, rounds: int = 10) -> Move:
        """Send the draining transaction and mine it."""
        sent = self.send(share, rounds)
        assert self.contract is not None
        of = self._world.contracts
        parties = (self.attacker, self.contract, of["unsafe_vault"], of["lender"])
        return _mined(self._world, "attack", parties, [sent])

    def escape(self, hops: int = 2) -> Move:
        """Move the loot over fresh addresses, a block each, into the bridge."""
        world, ledger = self._world, self._world.ledger
        holder, path, sent = self.attacker, [self.attacker], []
        start = None
        for hop in range(hops):
            following = world.wallet(f"{self.attacker.name} hop {hop}")
            sent.append(ledger.send(holder, following.address, value=_all(world, holder)))
            ledger.mine()
            start = start or ledger.now
            holder = following
            path.append(holder)
        destination = bytes(Web3.keccak(text="elsewhere"))
        bridge = world.contracts["bridge"]
        value = _all(world, holder)
        sent.append(ledger.send(holder, bridge, "lock", destination, value=value))
        move = _mined(world, "escape", (*path, bridge), sent)
        return Move(move.stage, move.entities, start or move.start, move.end, move.transactions)


class AdminTheft:
    """Someone else holds the admin's key (SCENARIOS.md, S2): each move is a block of its own."""

    def __init__(self, world: World, name: str = "thief") -> None:
        self._world = world
        self.thief = world.wallet(name)

    def grant(self) -> Move:
        """The admin's key gives the emergency role to an address that nobody knows."""
        world = self._world
        admin, vault = world.wallet("admin"), world.contracts["vault"]
        role = world.role("emergency")
        sent = [
            world.ledger.send(admin, vault, "grant_role", role, self.thief.address),
            world.ledger.send(admin, self.thief.address, value=ETHER),
        ]
        return _mined(world, "privilege", (admin, self.thief, vault), sent)

    def upgrade(self) -> Move:
        """That address changes the implementation at once, past the timelock."""
        world, vault = self._world, self._world.contracts["vault"]
        implementation = _somewhere("implementation of a thief")
        sent = world.ledger.send(self.thief, vault, "emergency_upgrade", implementation)
        return _mined(world, "upgrade", (self.thief, vault), [sent])

    def mint(self, times: int = 2) -> Move:
        """The admin's key mints a multiple of the token's supply to that address."""
        world, token = self._world, self._world.contracts["token"]
        admin, amount = world.wallet("admin"), times * world.ledger.ask(token, "totalSupply")
        sent = world.ledger.send(admin, token, "mint", self.thief.address, amount)
        return _mined(world, "mint", (admin, self.thief, token), [sent])


def arbitrage(world: World) -> Move:
    """The twin of `Drain`: a large trade opens a gap, a flash loan closes it with profit."""
    of, whale = world.contracts, world.wallet("whale0")
    sent = [world.ledger.send(whale, of["pool_a"], "buy", 0, value=150 * ETHER)]
    first = _mined(world, "benign", (whale, of["pool_a"]), sent)
    if not world.close_gap():
        raise RuntimeError("no gap to close; expected 150 ether to move the price by 2 %")
    keeper = world.wallet("arbitrageur")
    parties = (keeper, of["arbitrageur"], of["lender"], of["pool_a"], of["pool_b"])
    second = _mined(world, "benign", parties, [])
    made = world.ledger.request("eth_getBlockByNumber", "latest", False)["transactions"]
    return Move("benign", second.entities, first.start, second.end, (*sent, *made))


def whale_withdrawal(world: World, ether: int = 1_500) -> Move:
    """The twin of `Drain`: someone takes out a large deposit that is theirs."""
    whale, vault = world.wallet("whale1"), world.contracts["vault"]
    sent = world.ledger.send(whale, vault, "withdraw", ether * ETHER)
    return _mined(world, "benign", (whale, vault), [sent])


def announced_upgrade(world: World) -> Move:
    """The twin of `AdminTheft`: scheduled, the timelock waited out, then the upgrade."""
    admin, vault = world.wallet("admin"), world.contracts["vault"]
    implementation = _somewhere("implementation of version 2")
    sent = [world.ledger.send(admin, vault, "schedule_upgrade", implementation)]
    announced = _mined(world, "benign", (admin, vault), sent)
    world.ledger.wait(world.timelock.total_seconds())
    sent.append(world.ledger.send(admin, vault, "upgrade", implementation))
    done = _mined(world, "benign", (admin, vault), sent)
    return Move("benign", done.entities, announced.start, done.end, done.transactions)


def _all(world: World, holder: Wallet) -> int:
    """What a wallet can send when it keeps a little for fees."""
    return max(world.ledger.balance(holder.address) - ETHER // 10, 0)


def _somewhere(text: str) -> str:
    return "0x" + bytes(Web3.keccak(text=text))[-20:].hex()
