"""Who uses the platform, from where and with what: one graph of accounts, keys and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.simulate.exchange import MAKERS

__all__ = ["ACTORS", "FIRST_STAFF", "Address", "People"]

TRADERS, STAFF = 4_000, 12
FIRST_STAFF = 100_000
"""Accounts are numbers: makers, traders, those who join later; staff from here on."""
KEYED = 40
"""Traders, of the most active, whose programs use an API key."""
PLACES = (
    # country, latitude, longitude, share of the users, autonomous systems
    ("DE", 52.5, 13.4, 0.16, ("AS3320", "AS3209")),
    ("FR", 48.9, 2.4, 0.1, ("AS3215", "AS12322")),
    ("GB", 51.5, -0.1, 0.14, ("AS2856", "AS5089")),
    ("US", 40.7, -74.0, 0.2, ("AS7922", "AS7018", "AS701")),
    ("BR", -23.6, -46.6, 0.08, ("AS26599", "AS28573")),
    ("JP", 35.7, 139.7, 0.1, ("AS4713", "AS2516")),
    ("KR", 37.6, 127.0, 0.08, ("AS4766", "AS9318")),
    ("SG", 1.3, 103.8, 0.06, ("AS9506", "AS4773")),
    ("NG", 6.5, 3.4, 0.04, ("AS29465", "AS36873")),
    ("AU", -33.9, 151.2, 0.04, ("AS1221", "AS4804")),
)
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari",
    "Mozilla/5.0 (Linux; Android 15) Chrome/131.0 Mobile",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Firefox/133.0",
    "python-requests/2.32",
    "ccxt/4.4",
)
BROWSERS = 5
MOBILE = 0.3
"""Share of the visits that come through a mobile carrier, which hides many behind one address."""
ACTORS = {
    "origin": pl.String(),
    "origin_kind": pl.String(),
    "target": pl.String(),
    "target_kind": pl.String(),
    "share": pl.Float64(),
}
"""Links as `models.links.Links.set` takes them: what share of its risk one hands to the other."""
SHARES = {"key": 0.8, "device": 0.6, "ip": 0.5, "chain": 0.8}

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Address:
    """A network address and where it is."""

    ip: str
    asn: str
    country: str
    lat: float
    lon: float


@dataclass
class People:
    """Accounts and what belongs to each; numbers stand for all of them.

    Parameters
    ----------
    seed : int
        The same seed gives the same people.
    """

    seed: int
    addresses: list[Address] = field(default_factory=list)
    devices: int = 0
    keys: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Of each key its account and when it was made, microseconds."""
    links: dict[tuple[str, str, str, str], None] = field(default_factory=dict)
    """Pairs of (kind, name) that belong together, in the order in which they were made."""

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        self.count = MAKERS + TRADERS
        self._staff = STAFF
        self._ips: set[str] = set()
        shares = np.array([place[3] for place in PLACES])
        self._place = rng.choice(len(PLACES), self.count, p=shares / shares.sum())
        self._home = np.array([self.new_address(rng, int(p)) for p in self._place])
        self._carrier = [
            [self.new_address(rng, place) for _ in range(4)] for place in range(len(PLACES))
        ]
        self._device = np.arange(self.count) * 2
        self.devices = 2 * self.count
        self._agent = rng.choice(BROWSERS, self.count, p=[0.35, 0.25, 0.2, 0.12, 0.08])
        self.staff_address = [self.new_address(rng, 0) for _ in range(3)]
        for account in range(self.count):
            self.link("account", self.name(account), "ip", self.addresses[self._home[account]].ip)
            self.link("account", self.name(account), "device", self.device(2 * account))
            if rng.random() < 0.6:
                self.link("account", self.name(account), "chain", self.new_wallet(rng))
        for account in [*range(MAKERS), *range(MAKERS, MAKERS + KEYED)]:
            self.new_key(account, made=0)

    @property
    def traders(self) -> Ints:
        """Accounts from those who trade most to those who trade least."""
        return np.arange(MAKERS, MAKERS + TRADERS)

    @property
    def staff(self) -> Ints:
        """Accounts of employees."""
        return FIRST_STAFF + np.arange(self._staff)

    @staticmethod
    def name(account: int) -> str:
        """What the platform calls an account."""
        staff = account >= FIRST_STAFF
        return f"staff-{account - FIRST_STAFF:02}" if staff else f"account-{account:05}"

    def names(self, accounts: Ints) -> pl.Series:
        """What the platform calls each account."""
        distinct, row = np.unique(accounts, return_inverse=True)
        return pl.Series([self.name(int(a)) for a in distinct], dtype=pl.String).gather(row)

    @staticmethod
    def device(number: int) -> str:
        """What the platform calls a device."""
        return f"device-{number:06x}"

    @staticmethod
    def key(number: int) -> str:
        """What the platform calls an API key."""
        return f"key-{number:04}"

    def new_address(
        self, rng: np.random.Generator, place: int, *, asn: str | None = None, near: int = -1
    ) -> int:
        """A network address in a place, of a given system, or in the /24 of an earlier one."""
        country, lat, lon, _, systems = PLACES[place]
        while True:
            first, *rest = rng.integers([11, 0, 0, 1], [224, 256, 256, 255])
            ip = ".".join(map(str, (first, *rest)))
            if near >= 0:
                ip = f"{self.addresses[near].ip.rsplit('.', 1)[0]}.{rest[-1]}"
            if ip not in self._ips:
                break
        self._ips.add(ip)
        system = asn or systems[int(rng.integers(len(systems)))]
        self.addresses.append(Address(ip, system, country, lat, lon))
        return len(self.addresses) - 1

    def new_account(self, rng: np.random.Generator) -> int:
        """Somebody joins, with an address and a device of its own."""
        place = int(rng.integers(len(PLACES)))
        account = self.count
        self.count += 1
        self._place = np.append(self._place, place)
        self._home = np.append(self._home, self.new_address(rng, place))
        self._device = np.append(self._device, self.new_device())
        self._agent = np.append(self._agent, rng.integers(BROWSERS))
        name = self.name(account)
        self.link("account", name, "ip", self.addresses[self._home[account]].ip)
        self.link("account", name, "device", self.device(int(self._device[account])))
        self.link("account", name, "chain", self.new_wallet(rng))
        return account

    def new_staff(self) -> int:
        """Somebody is hired."""
        self._staff += 1
        return FIRST_STAFF + self._staff - 1

    def new_device(self) -> int:
        """A device that nobody used before."""
        self.devices += 1
        return self.devices - 1

    def new_key(self, account: int, *, made: int) -> int:
        """An API key of an account, made at a time in microseconds."""
        key = len(self.keys)
        self.keys[key] = (account, made)
        self.link("account", self.name(account), "key", self.key(key))
        return key

    @staticmethod
    def new_wallet(rng: np.random.Generator) -> str:
        """An address on the chain."""
        return "0x" + rng.bytes(20).hex()

    def link(self, kind: str, name: str, other_kind: str, other: str) -> None:
        """Note that two belong together."""
        self.links[kind, name, other_kind, other] = None

    def where(self, accounts: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints]:
        """Address, device and agent of a visit of each account: at home, or on the move."""
        address, device = self._home[accounts].copy(), self._device[accounts].copy()
        agent = self._agent[accounts].copy()
        for i in np.flatnonzero(rng.random(accounts.size) < MOBILE):
            carrier = self._carrier[self._place[accounts[i]]]
            address[i], device[i] = carrier[int(rng.integers(len(carrier)))], device[i] + 1
            agent[i] = 1 + int(accounts[i]) % 2
        return address, device, agent

    def home(self, account: int) -> tuple[int, int, int]:
        """Address, device and agent of an account at home."""
        return int(self._home[account]), int(self._device[account]), int(self._agent[account])

    def place(self, account: int) -> int:
        """Number of the place where an account lives."""
        return int(self._place[account])

    def carrier(self, place: int) -> list[int]:
        """Addresses of a mobile carrier of a place."""
        return self._carrier[place]

    def actors(self) -> pl.DataFrame:
        """The graph of who belongs to whom, columns `ACTORS`, both ways."""
        rows = [
            row
            for kind, name, other_kind, other in self.links
            for row in (
                (name, kind, other, other_kind, SHARES[other_kind]),
                (other, other_kind, name, kind, SHARES[other_kind]),
            )
        ]
        return pl.DataFrame(rows, schema=ACTORS, orient="row")
