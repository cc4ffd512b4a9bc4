"""Takers and passive traders of a normal day: clustered, seasonal, some of them informed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.simulate import agents
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import MAKERS, Exchange, instructions

__all__ = ["BEAT", "Flow", "order_values", "season"]

BEAT = 60_000_000
"""What is made up at once, microseconds."""
SECOND = 1_000_000
CHILDREN, HERD = 0.5, 0.75
"""Orders that an order brings about on average (a Hawkes process by its branching form), and the
chance that such an order is on the same side. Source: Hawkes & Oakes 1974."""
INFORMED = 0.15
"""Share of the takers who know where the fundamental goes within the minute."""
PASSIVE = 0.3
"""Share of the traders' orders that are limit orders near the best price."""
MOVES, LOOKS = 12, 12
"""In a minute: steps of the fundamental, and looks of a maker at its quotes."""
STAY = 0.5 ** (1 / 120)
"""Liveliness decays with a half-life of two hours."""
SAMPLES_LIQUID, SAMPLES_THIN = 20, 6
THIN = 1_500
"""A pair with fewer orders a day is thin: its quotes are told of less often."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def season(at: int) -> float:
    """How busy the hour is: most when Europe and America are awake (16 h UTC), a third at night."""
    hour = at / (3_600 * SECOND) % 24
    return float(1 + 0.5 * np.cos(2 * np.pi * (hour - 16) / 24))


def order_values(median: Floats, rng: np.random.Generator) -> Floats:
    """Values of orders: log-normal, and one in fifty many times larger (Pareto, index 1.5)."""
    count = median.size
    large = np.where(rng.random(count) < 0.02, (1 - rng.random(count)) ** (-1 / 1.5), 1.0)
    values: Floats = median * np.exp(rng.normal(0, 1.2, count)) * np.minimum(large, 50)
    return values


class Flow:
    """Normal trading of an exchange, a minute at a time.

    Parameters
    ----------
    exchange : Exchange
    traders : ndarray of int
        Accounts, from those who trade most to those who trade least.
    activity : float
        Times the pairs' own number of orders.
    """

    def __init__(self, exchange: Exchange, traders: Ints, activity: float = 1.0) -> None:
        self.exchange = exchange
        self.traders = traders
        pairs = exchange.pairs
        self._rate = activity * np.array([p.orders for p in pairs]) / 1_440
        self._value = np.array([p.value for p in pairs])
        self._volatility = np.array([p.volatility for p in pairs])
        self._level = np.zeros(len(pairs))
        self._samples = [SAMPLES_THIN if p.orders < THIN else SAMPLES_LIQUID for p in pairs]

    def beat(self, at: int, rng: np.random.Generator) -> None:
        """Give the exchange the instructions that the minute from ``at`` on brings about."""
        shocks = rng.normal(0, 0.5 * np.sqrt(1 - STAY**2), self._level.size)
        self._level = STAY * self._level + shocks
        lively = np.exp(self._level - 0.125)
        moves = self._moves(at, lively, rng)
        self._quotes(at, rng)
        busy = self._rate * season(at) * np.sqrt(lively)
        self._orders(at, busy, np.sign(moves.sum(axis=1)), rng)

    def _moves(self, at: int, lively: Floats, rng: np.random.Generator) -> Floats:
        """Steps of the fundamentals, shape (symbols, steps)."""
        step = self._volatility * lively / np.sqrt(1_440 * MOVES)
        moves: Floats = step[:, None] * rng.normal(size=(step.size, MOVES))
        times = at + np.arange(MOVES) * (BEAT // MOVES)
        symbols = np.repeat(np.arange(step.size), MOVES)
        scaled = np.rint(moves * agents.SCALE).astype(np.int64)
        self.exchange.submit(
            instructions(np.tile(times, step.size), agents.MOVE, symbols, price=scaled.ravel())
        )
        return moves

    def _quotes(self, at: int, rng: np.random.Generator) -> None:
        symbols = len(self._samples)
        every = BEAT // LOOKS
        looks = np.arange(LOOKS) * every + rng.integers(0, every, (symbols, MAKERS, LOOKS))
        s, m, _ = np.indices(looks.shape)
        self.exchange.submit(
            instructions(at + looks.ravel(), agents.QUOTE, s.ravel(), account=m.ravel())
        )
        told = [at + np.arange(n) * (BEAT // n) + rng.integers(BEAT // n) for n in self._samples]
        pair = np.repeat(np.arange(symbols), self._samples)
        self.exchange.submit(instructions(np.concatenate(told), agents.SAMPLE, pair))

    def _orders(self, at: int, busy: Floats, moves: Floats, rng: np.random.Generator) -> None:
        counts = rng.poisson(busy * (1 - CHILDREN))
        symbol = np.repeat(np.arange(counts.size), counts)
        times = at + rng.integers(0, BEAT, symbol.size)
        informed = rng.random(symbol.size) < INFORMED
        buys = np.where(informed, moves[symbol] > 0, rng.random(symbol.size) < 0.5)
        generations = [(times, symbol, buys)]
        while times.size:
            children = rng.poisson(CHILDREN, times.size)
            parent = np.repeat(np.arange(times.size), children)
            # Most follow within seconds, some within minutes: delays over several scales.
            delay = rng.exponential(np.exp(rng.normal(0.5, 2.0, parent.size)))
            same = rng.random(parent.size) < HERD
            times = times[parent] + (delay * SECOND).astype(np.int64)
            symbol, buys = symbol[parent], buys[parent] == same
            generations.append((times, symbol, buys))
        times, symbol, buys = (np.concatenate(part) for part in zip(*generations, strict=True))
        account = self.traders[(self.traders.size * rng.random(times.size) ** 3).astype(np.int64)]
        qty = self.exchange.lots(symbol, order_values(self._value[symbol], rng))
        side = np.where(buys, BUY, SELL)
        passive = rng.random(times.size) < PASSIVE
        handle = np.where(passive, self.exchange.new_handles(times.size), -1)
        kind = np.where(passive, agents.PEGGED, agents.MARKET)
        behind = rng.geometric(0.3, times.size) - 1
        self.exchange.submit(
            instructions(
                times, kind, symbol, account=account, side=side, qty=qty, price=behind,
                handle=handle,
            )
        )  # fmt: skip
        patience = (rng.exponential(180, times.size) * SECOND).astype(np.int64) + SECOND
        self.exchange.submit(
            instructions(
                (times + patience)[passive], agents.CANCEL, symbol[passive], handle=handle[passive]
            )
        )
