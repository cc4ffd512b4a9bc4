"""A small world on a chain: a vault and one with a hole, markets, a lender, and who uses them.

The world lives in blocks: `act` plays normal life, one block after another, drawn from a seed.
What goes wrong in it is in `pipeline.simulate.chain.attacks`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from web3 import Web3

from pipeline.simulate.chain.ledger import ETHER, Contract, Ledger, Node, Wallet
from pipeline.sources.chain_rows import Watched

__all__ = ["World"]

DEPOSITORS, TRADERS, WHALES = 12, 8, 2
NOTE = 10 * ETHER
TOKENS_PER_ETHER = 2_000
LIQUIDITY = 2_000 * ETHER
LENT = 5_000 * ETHER
WITHDRAWAL_LIMIT = 2_000 * ETHER
ACTIONS_A_BLOCK = 2.0
CARELESS = 0.02
"""Share of trades that ask for more than the market gives, and are reverted."""
GAP_WORTH = 0.02
"""Price gap of the two markets at which an arbitrageur steps in: above twice the fee."""


class World:
    """Contracts, people and a clock on a node.

    Parameters
    ----------
    node : Node
        A fresh chain.
    seed : int
        At least 0: the same seed plays the same blocks.
    start : datetime
        Aware; time of the genesis block.
    every : timedelta
        From block to block.
    timelock : timedelta
        What the vaults let pass between the announcement of a change and the change.

    Attributes
    ----------
    ledger : Ledger
        Signs, sends, asks and mines; its `now` is the time of the newest block.
    contracts : dict of str to Contract
        ``vault``, ``unsafe_vault``, ``token``, ``pool_a``, ``pool_b``, ``lender``, ``mixer``,
        ``bridge``, ``arbitrageur``.
    wallets : dict of str to Wallet
        ``admin``, ``guardian``, ``operator``, ``arbitrageur``, ``depositor3`` and the like.
    """

    def __init__(
        self,
        node: Node,
        *,
        seed: int,
        start: datetime,
        every: timedelta = timedelta(seconds=12),
        timelock: timedelta = timedelta(days=2),
    ) -> None:
        self.ledger = Ledger(node, start, every)
        self.seed, self.timelock = seed, timelock
        self.rng = np.random.default_rng([seed, 0xC4A1])
        self.contracts: dict[str, Contract] = {}
        self.wallets: dict[str, Wallet] = {}
        self._notes: list[bytes] = []

    @property
    def watched(self) -> tuple[Watched, ...]:
        """The platform's contracts, as a follower watches them."""
        of = self.contracts
        return (
            Watched(of["vault"].address, ether=True, owes="liabilities()"),
            Watched(of["unsafe_vault"].address, ether=True, owes="liabilities()"),
            Watched(of["token"].address, supply="totalSupply()"),
            Watched(of["pool_a"].address, ether=True, owes="ether_reserve()"),
            Watched(of["pool_b"].address, ether=True, owes="ether_reserve()"),
            Watched(of["lender"].address, ether=True),
        )

    def wallet(self, name: str, ether: int = 0) -> Wallet:
        """A person's wallet, made when first asked for, with that many ether from nowhere."""
        if name not in self.wallets:
            key = bytes(Web3.keccak(text=f"tocsin {self.seed} {name}"))
            self.wallets[name] = Wallet(name, key)
            if ether:
                self.ledger.send(
                    self.ledger.faucet, self.wallets[name].address, value=ether * ETHER
                )
        return self.wallets[name]

    def deploy(self) -> None:
        """Deploy the contracts, give people ether and tokens, and let them move in."""
        ledger, of = self.ledger, self.contracts
        admin = self.wallet("admin", 100_000)
        guardian, operator = self.wallet("guardian", 100), self.wallet("operator", 100)
        keeper = self.wallet("arbitrageur", 1_000)
        traders = [self.wallet(f"trader{i}", 2_000) for i in range(TRADERS)]
        depositors = [self.wallet(f"depositor{i}", 2_000) for i in range(DEPOSITORS)]
        whales = [self.wallet(f"whale{i}", 20_000) for i in range(WHALES)]
        ledger.mine()
        of["token"] = ledger.deploy(admin, "Token", admin)
        delay = round(self.timelock.total_seconds())
        for name, kind in (("vault", "Vault"), ("unsafe_vault", "UnsafeVault")):
            of[name] = ledger.deploy(admin, kind, admin, WITHDRAWAL_LIMIT, delay)
            for role, holder in (("guardian", guardian), ("operator", operator)):
                ledger.send(admin, of[name], "grant_role", self.role(role), holder.address)
        for name in ("pool_a", "pool_b"):
            of[name] = ledger.deploy(admin, "Pool", of["token"])
        of["lender"] = ledger.deploy(admin, "Lender", of["token"], TOKENS_PER_ETHER)
        of["mixer"], of["bridge"] = ledger.deploy(admin, "Mixer"), ledger.deploy(admin, "Bridge")
        of["arbitrageur"] = ledger.deploy(keeper, "Arbitrageur", of["lender"], of["token"])
        supply = LIQUIDITY * TOKENS_PER_ETHER
        ledger.send(admin, of["token"], "mint", admin.address, 3 * supply)
        for name in ("pool_a", "pool_b"):
            ledger.send(admin, of["token"], "approve", of[name].address, supply)
            ledger.send(admin, of[name], "add_liquidity", supply, value=LIQUIDITY)
        ledger.mine()
        ledger.send(admin, of["lender"], "deposit", value=LENT)
        for trader in traders:
            ledger.send(admin, of["token"], "transfer", trader.address, supply // 20)
            for name in ("pool_a", "pool_b", "lender"):
                ledger.send(trader, of["token"], "approve", of[name].address, 2**255)
        ledger.mine()
        for saver in (*depositors, *whales):
            value = (100 if saver in depositors else 2_000) * ETHER
            for name in ("vault", "unsafe_vault"):
                ledger.send(saver, of[name], "deposit", value=value)
        for _ in range(8):
            self._mix()
        ledger.mine()

    def act(self, blocks: int) -> None:
        """Play so many blocks of normal life."""
        moves: list[tuple[float, Callable[[], None]]] = [
            (0.28, self._deposit),
            (0.14, self._withdraw),
            (0.06, self._withdraw_all),
            (0.34, self._trade),
            (0.08, self._transfer),
            (0.04, self._lend),
            (0.03, self._mix),
            (0.02, self._unmix),
            (0.01, self._govern),
        ]
        shares, plays = zip(*moves, strict=True)
        for _ in range(blocks):
            for move in self.rng.choice(len(plays), self.rng.poisson(ACTIONS_A_BLOCK), p=shares):
                plays[move]()
            self.close_gap()
            self.ledger.mine()

    def close_gap(self) -> bool:
        """Send a flash-loan arbitrage if the markets' prices differ by enough; say whether."""
        prices = {name: self._price(name) for name in ("pool_a", "pool_b")}
        cheap, dear = sorted(prices, key=prices.__getitem__, reverse=True)
        gap = prices[cheap] / prices[dear] - 1
        if gap < GAP_WORTH:
            return False
        reserve = self.ledger.ask(self.contracts[cheap], "ether_reserve")
        # A quarter of the gap moves both prices towards each other without crossing.
        loan = round(reserve * gap / 4)
        of = self.contracts
        parties = (of[cheap].address, of[dear].address)
        keeper = self.wallet("arbitrageur")
        self.ledger.send(keeper, of["arbitrageur"], "trade", *parties, loan, gas=700_000)
        return True

    def role(self, name: str) -> bytes:
        """Identifier of a vault's role: ``guardian``, ``operator`` or ``emergency``."""
        return bytes(Web3.keccak(text=name))

    def _pick(self, kind: str, count: int) -> Wallet:
        return self.wallet(f"{kind}{self.rng.integers(count)}")

    def _amount(self, median: float, spread: float = 0.9) -> int:
        return round(median * float(np.exp(self.rng.normal(0, spread))) * 1e6) * 10**12

    def _vault(self) -> Contract:
        return self.contracts["vault" if self.rng.random() < 0.6 else "unsafe_vault"]

    def _deposit(self) -> None:
        saver = self._pick("depositor", DEPOSITORS)
        value = min(self._amount(3), 100 * ETHER)
        if self.ledger.balance(saver.address) > 2 * value:
            self.ledger.send(saver, self._vault(), "deposit", value=value)

    def _withdraw(self) -> None:
        saver, vault = self._pick("depositor", DEPOSITORS), self.contracts["vault"]
        kept = self.ledger.ask(vault, "balances", saver.address)
        self.ledger.send(saver, vault, "withdraw", min(self._amount(4), kept))

    def _withdraw_all(self) -> None:
        saver, vault = self._pick("depositor", DEPOSITORS), self.contracts["unsafe_vault"]
        self.ledger.send(saver, vault, "withdraw_all")

    def _trade(self) -> None:
        trader = self._pick("trader", TRADERS)
        pool = self.contracts["pool_a" if self.rng.random() < 0.5 else "pool_b"]
        value = min(self._amount(2), 60 * ETHER)
        least = 2**200 if self.rng.random() < CARELESS else 0
        if self.rng.random() < 0.5:
            self.ledger.send(trader, pool, "buy", least, value=value)
        else:
            self.ledger.send(trader, pool, "sell", value * TOKENS_PER_ETHER, least)

    def _transfer(self) -> None:
        sender, receiver = self._pick("trader", TRADERS), self._pick("trader", TRADERS)
        amount = self._amount(1) * TOKENS_PER_ETHER
        self.ledger.send(sender, self.contracts["token"], "transfer", receiver.address, amount)

    def _lend(self) -> None:
        trader, lender = self._pick("trader", TRADERS), self.contracts["lender"]
        debt = self.ledger.ask(lender, "debt", trader.address)
        if debt:
            self.ledger.send(trader, lender, "repay", value=debt)
        else:
            amount = min(self._amount(2), 20 * ETHER)
            self.ledger.send(trader, lender, "borrow", amount, 3 * amount * TOKENS_PER_ETHER)

    def _mix(self) -> None:
        secret = self.rng.bytes(32)
        self._notes.append(secret)
        commitment = bytes(Web3.keccak(secret))
        user = self._pick("depositor", DEPOSITORS)
        self.ledger.send(user, self.contracts["mixer"], "deposit", commitment, value=NOTE)

    def _unmix(self) -> None:
        # The last notes are left in the mixer: whoever needs one later finds one.
        if len(self._notes) > 3:
            to = Web3.keccak(self.rng.bytes(32))[-20:].hex()
            self.unmix("0x" + to)

    def unmix(self, to: str) -> str:
        """Pay the oldest note out to an address, by a relayer's hand."""
        relayer = self.wallet("operator")
        secret = self._notes.pop(0)
        return self.ledger.send(relayer, self.contracts["mixer"], "withdraw", secret, to)

    def _govern(self) -> None:
        account = "0x" + Web3.keccak(self.rng.bytes(32))[-20:].hex()
        vault = self._vault()
        self.ledger.send(self.wallet("operator"), vault, "block_address", account)

    def _price(self, pool: str) -> float:
        """Tokens that an ether buys."""
        ask, of = self.ledger.ask, self.contracts[pool]
        return float(ask(of, "token_reserve") / ask(of, "ether_reserve"))
