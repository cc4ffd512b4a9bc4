"""An exchange session whose truth is known: calm markets, one pump-and-dump, one day of news.

The pump is an attack, the news its benign twin (SCENARIOS.md, S7): both bring volume, but the
pump comes within seconds from a few accounts, the news over hours from many.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.stream import TIME
from features.trading import TRADES
from pipeline.simulate.market import (
    FILLS_RUSH,
    Fills,
    Market,
    Orders,
    clustered_times,
    fill,
    fills_each,
    mid_price,
    volatility_by_minute,
)

__all__ = ["NEWS", "PUMPED", "Session", "exchange_session"]

MARKETS = (
    Market("BTCUSDT", 60_000.0, 26_000, 900, 0.03, 2),
    Market("ETHUSDT", 3_000.0, 16_000, 600, 0.04, 2),
    Market("SOLUSDT", 150.0, 9_000, 350, 0.05, 2),
    Market("LINKUSDT", 15.0, 4_000, 250, 0.05, 3),
    Market("DOTUSDT", 7.0, 2_500, 200, 0.05, 3),
    Market("WRENUSDT", 0.42, 900, 120, 0.06, 4),
    Market("LARKUSDT", 0.081, 600, 90, 0.06, 5),
)
PUMPED = "WRENUSDT"
"""The thin market of the pump; the name is made up."""
NEWS = "LINKUSDT"
"""The market of the news."""

MAKERS, TRADERS, ACCUMULATORS, NEWCOMERS = 5, 4_000, 4, 400
FIRST_TRADER = MAKERS
FIRST_ACCUMULATOR = FIRST_TRADER + TRADERS
FIRST_NEWCOMER = FIRST_ACCUMULATOR + ACCUMULATORS
ACCOUNTS = pl.Series([f"account-{i:04}" for i in range(FIRST_NEWCOMER + NEWCOMERS)])
SIDES = pl.Series(["sell", "buy"], dtype=pl.Enum(["buy", "sell"]))

NEWS_PEAK, NEWS_RISE = 8.0, 7_200.0
PUMP_LASTS = timedelta(minutes=15)
NEWS_LASTS = timedelta(hours=10)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Session:
    """A session of an exchange.

    ``trades`` are valid events of the stream ``trades``, in order of time. ``truth`` has the
    columns ``entity, start, end, kind``, a row for the ``pump`` (from its announcement until
    the dump is over) and one for the ``news`` (benign).
    """

    trades: pl.DataFrame
    truth: pl.DataFrame


def exchange_session(start: datetime, days: int, seed: int) -> Session:
    """Make up a session: the same arguments give the same session.

    Parameters
    ----------
    start : datetime
        Aware.
    days : int
        At least 2; about 80,000 trades each. The pump is on the last day, the news on the day
        before.
    seed : int
        At least 0.
    """
    if start.tzinfo is None:
        raise ValueError(f"start = {start}; expected an aware time")
    if days < 2:
        raise ValueError(f"days = {days}; expected at least 2")
    start = start.astimezone(UTC)
    plan = np.random.default_rng([seed, len(MARKETS)])
    # Pumps are announced on the hour.
    hour = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    pump = hour + timedelta(days=days - 1, hours=int(plan.integers(12, 18)))
    news = start + timedelta(days=days - 2, hours=float(plan.uniform(4, 10)))
    begins = {PUMPED: (pump - start).total_seconds(), NEWS: (news - start).total_seconds()}
    frames = [
        _trades(market, _market(market, start, days, begins, np.random.default_rng([seed, i])))
        for i, market in enumerate(MARKETS)
    ]
    trades = pl.concat(frames).sort("ts", maintain_order=True).with_row_index("id")
    at = (pl.lit(start).dt.cast_time_unit("us") + pl.col("ts") * pl.duration(milliseconds=1)).cast(
        TIME
    )
    trades = trades.with_columns(at.alias("ts"), pl.col("id").cast(pl.Int64))
    truth = pl.DataFrame(
        [(PUMPED, pump, pump + PUMP_LASTS, "pump"), (NEWS, news, news + NEWS_LASTS, "news")],
        schema={"entity": pl.String, "start": TIME, "end": TIME, "kind": pl.String},
        orient="row",
    )
    return Session(trades.select(c.name for c in TRADES.columns), truth)


def _trades(market: Market, fills: Fills) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": (1000 * fills.at).astype(np.int64),
            "symbol": pl.repeat(market.symbol, fills.at.size, eager=True),
            "price": fills.price,
            "qty": fills.qty,
            "side": SIDES.gather(fills.buy.astype(np.int64)),
            "buyer": ACCOUNTS.gather(fills.buyer),
            "seller": ACCOUNTS.gather(fills.seller),
        }
    )


def _market(
    market: Market,
    start: datetime,
    days: int,
    begins: dict[str, float],
    rng: np.random.Generator,
) -> Fills:
    """All fills of one market, with what happens to it."""
    minutes = 1440 * days
    lively = volatility_by_minute(minutes, rng)
    clock = start.hour + start.minute / 60 + np.arange(minutes) / 60
    # Busiest when Europe and America are both awake (16 h UTC), a third of that at night.
    season = 1 + 0.5 * np.cos(2 * np.pi * (clock - 16) / 24)
    busy = market.orders / 1440 * season * np.sqrt(lively)
    news = np.zeros(minutes)
    if market.symbol == NEWS:
        news = _news_level(60 * np.arange(minutes, dtype=np.float64) - begins[NEWS])
    times, buys = clustered_times(busy * (1 + (NEWS_PEAK - 1) * news), rng)
    orders = _calm_orders(market, times, buys, news, rng)
    if market.symbol == PUMPED:
        orders = Orders.together(orders, *_pump_orders(market, begins[PUMPED], rng))
        orders = orders.where(orders.at < 60 * minutes)
    drift = np.zeros(orders.at.size)
    if market.symbol in begins:
        since = orders.at - begins[market.symbol]
        drift = _pump_drift(since) if market.symbol == PUMPED else _news_drift(since)
    mid = mid_price(market, orders, lively * (1 + news), drift, rng)
    # The first market maker is met most often, one meeting in eight is with a trader.
    makers = np.repeat(np.arange(MAKERS), 60 // (1 + np.arange(MAKERS)))
    return fill(market, orders, mid, np.concatenate([makers, _crowd(20, rng)]), rng)


def _news_level(since: Floats) -> Floats:
    """How much of the news is in the market, 0 to 1: up within two hours, a tenth after ten."""
    x = np.maximum(since, 0) / NEWS_RISE
    level: Floats = x * np.exp(1 - x)
    return level


def _news_drift(since: Floats) -> Floats:
    """Log price over its normal course: up by 0.08, as slowly as the news spreads."""
    drift: Floats = 0.08 * (1 - np.exp(-np.maximum(since, 0) / NEWS_RISE))
    return drift


def _crowd(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Traders drawn by how active they are: a few trade often, most seldom."""
    return FIRST_TRADER + (TRADERS * rng.random(count) ** 3).astype(np.int64)


def _values(market: Market, count: int, rng: np.random.Generator) -> Floats:
    """Values of orders: log-normal, and one in fifty many times larger (Pareto, index 1.5)."""
    large = np.where(rng.random(count) < 0.02, (1 - rng.random(count)) ** (-1 / 1.5), 1.0)
    values: Floats = market.value * np.exp(rng.normal(0, 1.2, count)) * np.minimum(large, 50)
    return values


def _calm_orders(
    market: Market,
    times: Floats,
    buys: NDArray[np.bool_],
    news: Floats,
    rng: np.random.Generator,
) -> Orders:
    count = times.size
    # News brings people who seldom trade: as many different takers as there are orders.
    extra = (NEWS_PEAK - 1) * news[(times // 60).astype(np.int64)]
    anyone = rng.random(count) < extra / (1 + extra)
    return Orders(
        times,
        buys,
        _values(market, count, rng),
        fills_each(count, rng),
        np.where(anyone, FIRST_TRADER + rng.integers(TRADERS, size=count), _crowd(count, rng)),
        np.full(count, -1),
    )


def _pump_orders(market: Market, begin: float, rng: np.random.Generator) -> list[Orders]:
    """Accumulation, rush, dump and aftermath, sized by the market's own normal day.

    The magnitudes are those of announced pumps of thin markets: a few hundred orders in the
    first minute, with several fills each.
    """

    def orders(
        at: Floats,
        buying: float,
        size: float,
        taker: NDArray[np.int64],
        *,
        hurried: bool = False,
        into: bool = False,
    ) -> Orders:
        count = at.size
        fills = fills_each(count, rng, FILLS_RUSH) if hurried else fills_each(count, rng)
        resting = FIRST_ACCUMULATOR + rng.integers(ACCUMULATORS, size=count)
        return Orders(
            begin + at,
            rng.random(count) < buying,
            size * _values(market, count, rng),
            fills,
            taker,
            resting if into else np.full(count, -1),
        )

    def insiders(count: int) -> NDArray[np.int64]:
        return FIRST_ACCUMULATOR + rng.integers(ACCUMULATORS, size=count)

    def newcomers(count: int) -> NDArray[np.int64]:
        return FIRST_NEWCOMER + rng.integers(NEWCOMERS, size=count)

    early, rush, dump, after = (int(share * market.orders) for share in (0.08, 0.4, 0.12, 1.0))
    mixed = np.where(rng.random(after) < 0.5, newcomers(after), _crowd(after, rng))
    return [
        orders(rng.uniform(-10 * 3600, -1800, early), 1.0, 1.0, insiders(early)),
        orders(rng.gamma(1.3, 18, rush), 0.92, 1.5, newcomers(rush), hurried=True, into=True),
        orders(20 + rng.gamma(1.5, 90, dump), 0.0, 2.0, insiders(dump), hurried=True),
        orders(15 + rng.exponential(900, after), 0.44, 0.8, mixed),
    ]


def _pump_drift(since: Floats) -> Floats:
    """Log price over its normal course: up by a quarter in half a minute, mostly gone in ten."""
    up = 0.25 * (1 - np.exp(-np.maximum(since, 0) / 12))
    drift: Floats = up * np.exp(-np.maximum(since - 40, 0) / 240) - 0.02 * (since > 600)
    return drift
