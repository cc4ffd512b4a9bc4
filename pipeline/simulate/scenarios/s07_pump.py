"""S7: pump and dump. Insiders buy, a crowd is called in and buys in a rush, the insiders sell."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pipeline.simulate import agents
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import instructions
from pipeline.simulate.flow import SECOND, order_values
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import HOUR, MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

THIN = (5, 6)
VIEWS = ("trades.symbol_5s", "trades.symbol_1m")
INSIDERS, CROWD = 4, 150


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Accumulation for two hours, the call, the rush of new accounts, the dump.

    Sized by the pair's own normal day: a few hundred orders in the first minute (La Morgia et
    al., ICCCN 2020, describe such calls on thin markets).
    """
    people, s = platform.people, int(rng.choice(THIN))
    pair = platform.exchange.pairs[s]
    insiders = rng.choice(people.traders[500:], INSIDERS, replace=False)
    crowd = np.array([people.new_account(rng) for _ in range(CROWD)])
    called = (at // HOUR + 3) * HOUR
    for account in crowd[: CROWD // 2].tolist():
        platform.visits.visit(account, called - int(rng.uniform(60, 900) * SECOND), rng)
    early, rush, dump, after = (
        max(int(share * strength * pair.orders), 4) for share in (0.06, 0.35, 0.12, 0.5)
    )
    _buy(platform, s, at + rng.uniform(0, called - at - 30 * MINUTE, early), insiders, 0.6, 1, rng)
    _buy(platform, s, called + rng.gamma(1.3, 18, rush) * SECOND, crowd, 1.5, 0.92, rng)
    _buy(platform, s, called + (20 + rng.gamma(1.5, 90, dump)) * SECOND, insiders, 2, 0, rng)
    late = called + (15 + rng.exponential(900, after)) * SECOND
    _buy(platform, s, late, np.concatenate([crowd, people.traders[:300]]), 0.8, 0.44, rng)
    return [
        Stage(stage, view, pair.symbol, begin, end)
        for view in VIEWS
        for stage, begin, end in (
            ("accumulation", at, called - 30 * MINUTE),
            ("pump", called, called + 2 * MINUTE),
            ("dump", called + 2 * MINUTE, called + 15 * MINUTE),
        )
    ]


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """News of a listing: as much volume, but over hours, from everybody, and the price stays."""
    people, s = platform.people, int(rng.choice(THIN))
    pair = platform.exchange.pairs[s]
    count = int(3 * strength * pair.orders)
    # Up within two hours, a tenth after ten.
    when = at + rng.gamma(2, 1.5 * HOUR, count)
    when = when[when < at + 10 * HOUR]
    anyone = rng.choice(people.traders, when.size)
    _buy(platform, s, when, anyone, 1.0, 0.53, rng)
    steps = at + np.arange(120) * 2 * MINUTE
    drift = np.full(120, 0.08 / 120) * rng.uniform(0.3, 1.7, 120)
    platform.exchange.submit(
        instructions(steps, agents.MOVE, s, price=np.rint(drift * agents.SCALE))
    )
    return [Stage("news", view, pair.symbol, at, at + 10 * HOUR) for view in VIEWS]


def _buy(
    platform: Platform,
    s: int,
    at: ArrayLike,
    who: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
    size: float,
    buying: float,
    rng: np.random.Generator,
) -> None:
    """Market orders at the given times, bought with the given chance, of the pair's sizes."""
    times = np.asarray(at).astype(np.int64)
    value = size * order_values(np.full(times.size, platform.exchange.pairs[s].value), rng)
    platform.exchange.submit(
        instructions(
            times, agents.MARKET, s, account=rng.choice(who, times.size),
            side=np.where(rng.random(times.size) < buying, BUY, SELL),
            qty=platform.exchange.lots(s, value),
        )
    )  # fmt: skip


SCENARIO = Scenario(7, "Pump and dump on a thin pair", ("trades", "orders"), attack, decoy)
