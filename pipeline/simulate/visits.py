"""Logins, sessions, API programs and employees: the events of the stream ``access``."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from features.access import ACCESS
from features.access.stream import KINDS, OUTCOMES
from pipeline.simulate.flow import BEAT, SECOND, season
from pipeline.simulate.outbox import Outbox
from pipeline.simulate.people import AGENTS, FIRST_STAFF, STAFF, People
from pipeline.simulate.tape import times

__all__ = ["ENDPOINTS", "Visits"]

ENDPOINTS = (
    # method, path (a star stands for a number), median bytes, share of a person's requests
    ("GET", "/api/v1/markets", 9_000, 0.24),
    ("GET", "/api/v1/markets/depth", 14_000, 0.22),
    ("GET", "/api/v1/account", 1_200, 0.12),
    ("GET", "/api/v1/balances", 900, 0.12),
    ("GET", "/api/v1/orders", 3_000, 0.1),
    ("GET", "/api/v1/orders/*", 600, 0.07),
    ("POST", "/api/v1/orders", 400, 0.08),
    ("DELETE", "/api/v1/orders/*", 200, 0.04),
    ("GET", "/api/v1/withdrawals", 800, 0.01),
    ("POST", "/api/v1/login", 500, 0.0),
    ("POST", "/api/v1/logout", 100, 0.0),
    ("POST", "/api/v1/keys", 300, 0.0),
    ("POST", "/api/v1/withdrawals", 300, 0.0),
    ("GET", "/admin/customers/*", 4_000, 0.0),
    ("GET", "/admin/customers", 12_000, 0.0),
    ("GET", "/admin/tickets/*", 2_500, 0.0),
    ("PUT", "/admin/rules/*", 300, 0.0),
    ("GET", "/admin/export/*", 400_000, 0.0),
    ("PUT", "/api/v1/mfa", 200, 0.0),
)
MARKETS, DEPTH, ACCOUNT, BALANCES, ORDERS, ORDER, TRADE, WITHDRAW_ORDER, WITHDRAWALS = range(9)
LOGIN, LOGOUT, NEW_KEY, WITHDRAW, CUSTOMER, CUSTOMERS, TICKET, RULE, EXPORT, MFA = range(9, 19)
SHARES = np.array([e[3] for e in ENDPOINTS])
SESSIONS = 6_000
"""On a normal day; of 21 requests each on average."""
MISTYPED = 0.05
FAILURE, SUCCESS = 0, 1
UNSET = -1

Ints = NDArray[np.int64]
_INTS = ("kind", "outcome", "account", "ip", "device", "agent", "key", "session", "endpoint",
         "object", "status", "bytes")  # fmt: skip


class Visits:
    """Normal use of the platform, a minute at a time.

    Parameters
    ----------
    people : People
    activity : float
        Times the normal number of sessions.
    """

    def __init__(self, people: People, activity: float = 1.0) -> None:
        self.people = people
        self.activity = activity
        columns: dict[str, Any] = dict.fromkeys(_INTS, np.int64) | {"query": object}
        self._coming = Outbox(**columns)
        self._done = Outbox(**columns, duration=np.float64, id=np.int64)
        self._next = 0
        self.sessions = 0
        self.away: dict[int, tuple[int, int]] = {}
        """Employees who are not at their desks, from when until when."""

    def put(self, at: ArrayLike, *, kind: str = "request", **columns: ArrayLike) -> None:
        """Add events of one kind; times in microseconds, the rest numbers as `People` gives them.

        Columns are ``outcome, account, ip, device, agent, key, session, endpoint, object,
        status, bytes, query``; what is not told is unknown, a status is then the service's.
        """
        given: dict[str, ArrayLike] = dict.fromkeys(_INTS, UNSET) | {"query": ""} | columns
        self._coming.put(at, **given | {"kind": KINDS.index(kind)})

    def new_session(self) -> int:
        """Number of a session that is not taken."""
        self.sessions += 1
        return self.sessions

    def beat(self, at: int, rng: np.random.Generator) -> None:
        """Add the visits that begin in the minute from ``at`` on."""
        people = self.people
        rate = self.activity * SESSIONS / 1_440 * season(at)
        count = int(rng.poisson(rate))
        accounts = people.traders[(people.traders.size * rng.random(count) ** 2).astype(np.int64)]
        begins = at + rng.integers(0, BEAT, count)
        for account, begin in zip(accounts.tolist(), begins.tolist(), strict=True):
            self.visit(account, begin, rng)
        self._programs(at, rng)
        self._employees(at, rng)

    def visit(
        self,
        account: int,
        begin: int,
        rng: np.random.Generator,
        *,
        via: tuple[int, int, int] | None = None,
    ) -> int:
        """One session of a person: login, requests, often a logout; when it ends."""
        ip, device, agent = via or (int(x[0]) for x in self.people.where(np.array([account]), rng))
        who: dict[str, Any] = {"account": account, "ip": ip, "device": device, "agent": agent}
        who["session"] = self.new_session()
        while rng.random() < MISTYPED:
            self.login(begin, FAILURE, who)
            begin += int(rng.uniform(3, 20) * SECOND)
        self.login(begin, SUCCESS, who)
        count = int(rng.geometric(1 / 20))
        gaps = rng.exponential(np.exp(rng.normal(1.6, 0.8, count))) * SECOND
        at = begin + SECOND + np.cumsum(gaps).astype(np.int64)
        endpoint = rng.choice(SHARES.size, count, p=SHARES / SHARES.sum())
        self.put(at, endpoint=endpoint, object=10_000_000 + rng.integers(0, 10**7, count), **who)
        end = int(at[-1])
        if rng.random() < 0.02:
            amount = float(np.round(np.exp(rng.normal(5.5, 1.3)), 2))
            self.withdraw(end + 5 * SECOND, amount, self.people.new_wallet(rng), who)
        if rng.random() < 0.3:
            self.put(end + 9 * SECOND, kind="logout", endpoint=LOGOUT, outcome=SUCCESS, **who)
        return end

    def login(self, at: ArrayLike, outcome: ArrayLike, who: dict[str, Any]) -> None:
        """Try to log in."""
        status = np.where(np.asarray(outcome) == SUCCESS, 200, 401)
        self.put(at, kind="login", endpoint=LOGIN, outcome=outcome, status=status, **who)

    def withdraw(self, at: int, amount: float, to: str, who: dict[str, Any]) -> None:
        """Ask for a withdrawal of so many USDT to an address on the chain."""
        self.put(
            at, kind="withdrawal", endpoint=WITHDRAW, outcome=SUCCESS, status=200,
            query=f"?asset=USDT&amount={amount:.2f}&address={to}", **who,
        )  # fmt: skip

    def _programs(self, at: int, rng: np.random.Generator) -> None:
        """API keys poll at an interval of their own, 10 to 60 s, and trade now and then."""
        keys = [k for k, (_, made) in self.people.keys.items() if made == 0]
        every = [(10 + (key * 17) % 50) * SECOND for key in keys]
        due = [np.arange(-(-at // e) * e, at + BEAT, e) for e in every]
        key = np.repeat(keys, [d.size for d in due])
        account = np.array([self.people.keys[k][0] for k in keys])
        home = np.array([self.people.home(a) for a in account.tolist()])
        row = np.repeat(np.arange(len(keys)), [d.size for d in due])
        habit = np.array([DEPTH, ORDERS, TRADE, WITHDRAW_ORDER, BALANCES])
        self.put(
            np.concatenate(due) + rng.integers(0, SECOND // 5, key.size),
            endpoint=habit[rng.choice(5, key.size, p=[0.5, 0.2, 0.15, 0.1, 0.05])],
            account=account[row], ip=home[row, 0], device=home[row, 1], key=key,
            agent=len(AGENTS) - 1 - key % 2, object=10_000_000 + rng.integers(0, 10**7, key.size),
        )  # fmt: skip

    def _employees(self, at: int, rng: np.random.Generator) -> None:
        """Employees come in the morning of a working day and look at customers and tickets."""
        hour, day = at / (3_600 * SECOND) % 24, at // (86_400 * SECOND)
        working = 7 <= hour < 16 and (day + 3) % 7 < 5
        for account in self.people.staff[:STAFF].tolist():
            leaves, returns = self.away.get(account, (at, at))
            if leaves <= at < returns:
                continue
            number = account - FIRST_STAFF
            busy = (0.12 + 0.02 * (number % 5)) if working else 0.0
            for _ in range(rng.poisson(busy)):
                self.look_up(account, at + int(rng.integers(BEAT)), rng)

    def look_up(
        self, account: int, at: int, rng: np.random.Generator, *, customers: float = 0.6
    ) -> None:
        """An employee looks at a customer, or else at a ticket."""
        number = account - FIRST_STAFF
        endpoint = CUSTOMER if rng.random() < customers else TICKET
        limit = self.people.traders.size if endpoint == CUSTOMER else 90_000
        self.put(
            at, endpoint=endpoint, account=account, object=int(rng.integers(limit)),
            ip=self.people.staff_address[number % 3], device=900_000 + number, agent=number % 5,
        )  # fmt: skip

    def settle(self, until: int, errors: float, response: float, rng: np.random.Generator) -> int:
        """Answer what came before a time, at the service's errors (a share) and speed (ms).

        Returns
        -------
        int
            How many requests that were.
        """
        due = self._coming.take(until)
        count = len(due["arrives"])
        status = np.where(rng.random(count) < errors, 503, 200)
        status = np.where(rng.random(count) < 0.004, 404, status)
        told = due["status"].astype(np.int64)
        due["status"] = np.where(told == UNSET, status, told)
        size = np.array([e[2] for e in ENDPOINTS])[due["endpoint"].astype(np.int64)]
        usual = np.rint(size * rng.lognormal(0, 0.4, count)).astype(np.int64)
        told = due["bytes"].astype(np.int64)
        due["bytes"] = np.where(told == UNSET, np.where(due["status"] == 200, usual, 120), told)
        duration = response / 2 * rng.lognormal(0, 0.45, count)
        self._done.put(duration=duration, id=self._next + np.arange(count), **due)
        self._next += count
        return count

    def take(self, until: int) -> pl.DataFrame:
        """Events of the stream ``access`` before a time."""
        return _frame(self._done.take(until), self.people)


def _frame(e: dict[str, NDArray[Any]], people: People) -> pl.DataFrame:
    address = pl.DataFrame(
        [(a.ip, a.asn, a.country, a.lat, a.lon) for a in people.addresses],
        schema=["ip", "asn", "country", "lat", "lon"],
        orient="row",
    )[e["ip"]]
    endpoint = pl.Series([e[1] for e in ENDPOINTS]).gather(e["endpoint"])
    numbered = endpoint.str.contains("*", literal=True)
    number = pl.Series(e["object"]).set(~numbered, None)
    made = np.array([made for _, made in people.keys.values()])[e["key"]]
    keyed = e["key"] >= 0
    named = pl.DataFrame(
        {
            "ts": times(e["arrives"]),
            "id": e["id"],
            "kind": pl.Series(KINDS).gather(e["kind"]),
            "outcome": _known(e["outcome"], pl.Series(OUTCOMES[::-1])),
            "account": people.names(e["account"]).set(pl.Series(e["account"] < 0), None),
            "key": _known(e["key"], pl.Series([people.key(k) for k in range(len(people.keys))])),
            "session": pl.Series(e["session"])
            .cast(pl.String)
            .set(pl.Series(e["session"] < 0), None),
            "device": [people.device(d) if d >= 0 else None for d in e["device"].tolist()],
            "agent": _known(e["agent"], pl.Series(AGENTS)),
            "method": pl.Series([e[0] for e in ENDPOINTS]).gather(e["endpoint"]),
            "endpoint": endpoint,
            "object": number,
            "query": pl.Series(e["query"].tolist(), dtype=pl.String),
            "status": e["status"],
            "bytes": e["bytes"],
            "duration": np.round(e["duration"], 2),
            "key_created_at": times(made).set(pl.Series(~keyed | (made == 0)), None),
        }
    ).hstack(address)
    number_text = pl.col("object").cast(pl.String).fill_null("")
    return (
        named.with_columns(
            pl.col("endpoint").str.replace("*", number_text, literal=True).alias("path"),
            pl.col("ip").str.replace(r"\d+$", "0/24").alias("subnet"),
            pl.lit(0).alias("odd"),
            pl.lit(None, pl.String).alias("referrer"),
        )
        .with_columns(pl.col("path") + pl.col("query"))
        .select(pl.col(c.name).cast(c.type) for c in ACCESS.columns)
    )


def _known(number: Ints, words: pl.Series) -> pl.Series:
    """The word of each number; null below 0."""
    return words.gather(pl.Series(number).set(pl.Series(number < 0), None).cast(pl.UInt32))
