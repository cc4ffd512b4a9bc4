"""S10: an employee who knows us reads a little more each day, blunts a rule, and profits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.simulate import agents
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import instructions
from pipeline.simulate.flow import SECOND
from pipeline.simulate.people import FIRST_STAFF
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import HOUR, MINUTE, Scenario, Stage
from pipeline.simulate.visits import EXPORT, RULE

__all__ = ["DAYS", "SCENARIO"]

DAY = 24 * HOUR
DAYS = 21
PERSON, PAIR = "access.account_5m", "trades.symbol_1m"
OPENS, CLOSES = 7 * HOUR, 16 * HOUR
USUAL = 60.0
"""Customers and tickets that an employee looks at on a usual day."""


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Three weeks of reading ever more, a rule muted, a threshold moved, an export, a trade.

    Where there is no patience for weeks, the reading is that of their last day.
    """
    people, visits = platform.people, platform.visits
    account = int(rng.choice(people.staff))
    name = people.name(account)
    days, last = _weeks(platform, at)
    first = at // DAY
    for day in range(days):
        more = int(USUAL * strength * 2.5 * (DAYS - days + day + 1) / DAYS)
        _read(platform, account, first + day, more, rng, customers=1.0)
    who: dict[str, Any] = {
        "account": account,
        "ip": people.staff_address[(account - FIRST_STAFF) % 3],
        "device": 900_000 + account - FIRST_STAFF,
        "agent": (account - FIRST_STAFF) % 5,
    }
    muted = max(last - 4 * DAY, at) + platform.wait(rng.uniform(9, 15) * HOUR)
    visits.put(muted, endpoint=RULE, object=17, query="?muted=true", status=200, **who)
    edited = muted + platform.wait(rng.uniform(1, 24) * HOUR)
    visits.put(edited, endpoint=RULE, object=22, query="?threshold=4000", status=200, **who)
    out = max(last, edited) + platform.wait(rng.uniform(18, 22) * HOUR)
    count = int(40 * strength)
    visits.put(
        out + np.arange(count) * 12 * SECOND, endpoint=EXPORT, object=np.arange(count),
        status=200, bytes=(2e6 * strength * rng.lognormal(0, 0.3, count)).astype(np.int64), **who,
    )  # fmt: skip
    pair, news = _trade_ahead(platform, account, out + platform.wait(4 * HOUR), strength, rng)
    end = out + count * 12 * SECOND + SECOND
    return [
        Stage("drift", PERSON, name, max(first * DAY, at), max(last, muted)),
        Stage("sabotage", PERSON, name, muted, edited + SECOND),
        Stage("export", PERSON, name, out, end),
        Stage("trading ahead", PAIR, pair, news - HOUR, news),
    ]


def _trade_ahead(
    platform: Platform, account: int, news: int, strength: float, rng: np.random.Generator
) -> tuple[str, int]:
    """A friend's account buys for an hour, the listing is announced, it sells."""
    people, exchange = platform.people, platform.exchange
    s = len(exchange.pairs) - 1 - int(rng.integers(2))
    pair, friend = exchange.pairs[s], int(rng.choice(people.traders[500:]))
    device = people.device(900_000 + account - FIRST_STAFF)
    people.link("account", people.name(account), "device", device)
    people.link("account", people.name(friend), "device", device)
    count = int(20 * strength) + 5
    buys = news - HOUR + np.sort(rng.integers(0, 55 * MINUTE, count))
    sells = news + 10 * MINUTE + np.sort(rng.integers(0, 30 * MINUTE, count))
    for when, side in ((buys, BUY), (sells, SELL)):
        qty = exchange.lots(s, pair.value * 2 * rng.lognormal(0, 0.3, count))
        exchange.submit(instructions(when, agents.MARKET, s, account=friend, side=side, qty=qty))
    steps = news + np.arange(20) * 15 * SECOND
    exchange.submit(instructions(steps, agents.MOVE, s, price=0.1 / 20 * agents.SCALE))
    return pair.symbol, news


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """A new employee ramps up to what the others do; one on call reads many in an incident."""
    people, visits = platform.people, platform.visits
    joins = people.new_staff()
    days, last = _weeks(platform, at)
    first = at // DAY
    for day in range(days):
        _read(platform, joins, first + day, int(USUAL * min((day + 2) / 12, 1.0)), rng)
    on_call = int(rng.choice(people.staff[:-1]))
    incident = max((first + days // 2) * DAY, at) + platform.wait(rng.uniform(8, 14) * HOUR)
    lasts = int(rng.uniform(60, 120) * MINUTE)
    for _ in range(int(150 * strength)):
        visits_at = incident + int(rng.integers(lasts))
        visits.look_up(on_call, visits_at, rng, customers=0.9)
    return [
        Stage("ramp-up", PERSON, people.name(joins), at, max(last, incident)),
        Stage("on call", PERSON, people.name(on_call), incident, incident + lasts),
    ]


def _weeks(platform: Platform, at: int) -> tuple[int, int]:
    """How many days there are for what takes three weeks, at least one; and when they are over."""
    whole = platform.wait(DAYS * DAY)
    return max(whole // DAY, 1), max((at + whole) // DAY * DAY, at)


def _read(
    platform: Platform,
    account: int,
    day: int,
    count: int,
    rng: np.random.Generator,
    *,
    customers: float = 0.6,
) -> None:
    """So many look-ups in the working hours of a working day."""
    if (day + 3) % 7 >= 5:
        return
    for when in rng.integers(day * DAY + OPENS, day * DAY + CLOSES, count).tolist():
        if when >= platform.horizon:
            platform.visits.look_up(account, when, rng, customers=customers)


SCENARIO = Scenario(10, "Slow insider and sabotage", ("access", "trades", "orders"), attack, decoy)
