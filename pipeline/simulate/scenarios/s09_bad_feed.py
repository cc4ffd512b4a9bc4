"""S9: a venue's feed falls silent, then lies: stale, tenfold, late, and from tomorrow."""

from __future__ import annotations

import numpy as np

from pipeline.simulate.feeds import VENUES, Change, Fault, Numbers
from pipeline.simulate.flow import SECOND
from pipeline.simulate.platform import Platform
from pipeline.simulate.scenarios.scenario import HOUR, MINUTE, Scenario, Stage

__all__ = ["SCENARIO"]

VIEWS = ("market_data.symbol_venue_5s", "market_data.symbol_venue_1m")
LIQUID = 5
Quotes = dict[str, Numbers]


def dropped(quotes: Quotes) -> Quotes:
    """Nothing comes."""
    return {name: column[:0] for name, column in quotes.items()}


def scaled(by: float) -> Change:
    """Prices are so many times what they should be."""

    def change(quotes: Quotes) -> Quotes:
        return quotes | {name: quotes[name] * by for name in ("bid", "ask")}

    return change


def frozen(first: dict[str, float]) -> Change:
    """What was quoted first is quoted again and again; ``first`` remembers it."""

    def change(quotes: Quotes) -> Quotes:
        for name in ("bid", "ask", "bid_qty", "ask_qty"):
            first.setdefault(name, float(quotes[name][0]))
        return quotes | {name: np.full_like(quotes[name], value) for name, value in first.items()}

    return change


def delayed(by: int) -> Change:
    """Quotes arrive so many microseconds late."""
    return lambda quotes: quotes | {"arrives": quotes["arrives"] + by}


def ahead(by: int) -> Change:
    """The first quote is stamped so many microseconds ahead, the rest is as it was."""

    def change(quotes: Quotes) -> Quotes:
        stamped = quotes["ts"].copy()
        stamped[0] += by
        return quotes | {"ts": stamped}

    return change


def attack(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Each fault after the other on one venue and pair, the connection up all the time."""
    faults, s = platform.feeds.faults, int(rng.integers(LIQUID))
    venue = 1 + int(rng.integers(len(VENUES) - 1))
    stall = int(strength * rng.uniform(60, 180) * SECOND)
    stale = int(strength * rng.uniform(3, 8) * MINUTE)
    plan: list[tuple[str, int, Change]] = [
        ("stall", stall, dropped),
        ("stale prices", stale, frozen({})),
        ("sound", 4 * MINUTE, dict),
        ("tenfold tick", 6 * SECOND, scaled(10.0)),
        ("sound", 4 * MINUTE, dict),
        ("late", 20 * SECOND, delayed(5 * MINUTE)),
        ("sound", 2 * MINUTE, dict),
        ("future stamp", 6 * SECOND, ahead(24 * HOUR)),
    ]
    entity = f"{platform.exchange.pairs[s].symbol}|{VENUES[venue]}"
    stages, begin = [], at
    for stage, lasts, change in plan:
        if stage != "sound":
            faults.append(Fault(venue, frozenset([s]), begin, begin + lasts, change))
            stages += [Stage(stage, view, entity, begin, begin + lasts) for view in VIEWS]
        begin += lasts
    return stages


def decoy(platform: Platform, at: int, strength: float, rng: np.random.Generator) -> list[Stage]:
    """Maintenance of a venue that is in the calendar, and a pair that is flat at every venue."""
    feeds, pairs = platform.feeds, platform.exchange.pairs
    venue = 1 + int(rng.integers(len(VENUES) - 1))
    closed = int(strength * rng.uniform(10, 30) * MINUTE)
    everything = frozenset(range(len(pairs)))
    feeds.faults.append(Fault(venue, everything, at, at + closed, dropped))
    for s in everything:
        feeds.connection(venue, s, at, up=False)
        feeds.connection(venue, s, at + closed, up=True)
    stages = [
        Stage("maintenance", view, f"{pair.symbol}|{VENUES[venue]}", at, at + closed)
        for view in VIEWS
        for pair in pairs
    ]
    flat, begin = len(pairs) - 1, at + closed + 30 * MINUTE
    end = begin + int(rng.uniform(20, 40) * MINUTE)
    first: dict[str, float] = {}
    for v in range(len(VENUES)):
        feeds.faults.append(Fault(v, frozenset([flat]), begin, end, _flat(first)))
    return stages + [
        Stage("flat pair", view, f"{pairs[flat].symbol}|{name}", begin, end)
        for view in VIEWS
        for name in VENUES
    ]


def _flat(first: dict[str, float]) -> Change:
    still = frozen(first)

    def change(quotes: Quotes) -> Quotes:
        quotes = still(quotes)
        middle = (quotes["bid"] + quotes["ask"]) / 2
        return quotes | {"reference": middle, "last": middle}

    return change


SCENARIO = Scenario(9, "Market data: silent and corrupt feed", ("market_data",), attack, decoy)
