"""Orders come as often as asked and in clusters; fills add up to their orders."""

from __future__ import annotations

import numpy as np
import pytest

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

MARKET = Market("TESTUSDT", 20.0, 5_000, 100, 0.05, 3)
MINUTES = 1_440
COUNT = 2_000


@pytest.fixture
def orders() -> Orders:
    rng = np.random.default_rng(3)
    return Orders(
        np.sort(rng.uniform(0, 60 * MINUTES, COUNT)),
        rng.random(COUNT) < 0.5,
        rng.lognormal(4, 1, COUNT),
        fills_each(COUNT, rng),
        rng.integers(10, size=COUNT),
        np.full(COUNT, -1),
    )


@pytest.fixture
def fills(orders: Orders) -> Fills:
    rng = np.random.default_rng(4)
    mid = mid_price(MARKET, orders, np.ones(MINUTES), np.zeros(COUNT), rng)
    return fill(MARKET, orders, mid, np.arange(10), rng)


def test_orders_come_as_often_as_asked_in_order_of_time() -> None:
    per_minute = np.repeat([1.0, 8.0, 1.0], 2_000)
    times, buys = clustered_times(per_minute, np.random.default_rng(1))

    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] <= times[-1] < 60 * per_minute.size
    assert times.size == pytest.approx(per_minute.sum(), rel=0.05)
    middle = (times > 60 * 2_000) & (times < 60 * 4_000)
    assert middle.sum() == pytest.approx(8 * 2_000, rel=0.05)
    assert buys.mean() == pytest.approx(0.5, abs=0.05)


def test_orders_follow_each_other_on_the_same_side() -> None:
    times, buys = clustered_times(np.ones(5_000), np.random.default_rng(1))
    counts = np.bincount((times // 60).astype(int))
    soon = np.diff(times) < 1
    assert counts.var() > 1.5 * counts.mean()  # both are equal where orders are independent
    assert (buys[1:] == buys[:-1])[soon].mean() > 0.6


def test_a_rush_has_more_fills_than_calm() -> None:
    rng = np.random.default_rng(1)
    calm, rush = fills_each(COUNT, rng), fills_each(COUNT, rng, FILLS_RUSH)
    assert calm.min() == rush.min() == 1
    assert max(calm.max(), rush.max()) <= 60
    assert rush.mean() > 1.3 * calm.mean()


def test_lively_minutes_are_average_and_follow_each_other() -> None:
    lively = volatility_by_minute(200_000, np.random.default_rng(1))
    assert lively.min() > 0
    assert lively.mean() == pytest.approx(1, abs=0.1)
    assert np.corrcoef(lively[:-60], lively[60:])[0, 1] > 0.5


def test_the_price_moves_by_the_market_s_volatility_and_the_drift(orders: Orders) -> None:
    def moved(drift: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        mid = mid_price(MARKET, orders, np.ones(MINUTES), np.full(COUNT, drift), rng)
        return float(np.log(mid[-1] / MARKET.price))

    days = [moved(0.0, seed) for seed in range(200)]
    assert np.std(days) == pytest.approx(MARKET.volatility, rel=0.2)
    assert moved(0.3, 1) - moved(0.0, 1) == pytest.approx(0.3)


def test_fills_add_up_to_their_orders(orders: Orders, fills: Fills) -> None:
    order = np.repeat(np.arange(COUNT), orders.fills)
    assert fills.at.size == orders.fills.sum()
    # Quantities have three digits.
    value = np.bincount(order, fills.qty * fills.price)
    assert value == pytest.approx(orders.value, rel=0.006)
    assert (fills.qty > 0).all()
    assert (fills.at == orders.at[order]).all()


def test_takers_pay_more_with_each_level(orders: Orders, fills: Fills) -> None:
    order = np.repeat(np.arange(COUNT), orders.fills)
    same = np.diff(order) == 0
    worse = np.diff(fills.price) * np.where(fills.buy[1:], 1, -1)
    assert (worse[same] >= 0).all()
    assert (worse[same] > 0).any()


def test_the_taker_is_on_the_side_of_the_order(orders: Orders, fills: Fills) -> None:
    order = np.repeat(np.arange(COUNT), orders.fills)
    taker = np.where(fills.buy, fills.buyer, fills.seller)
    assert (taker == orders.taker[order]).all()
    assert (fills.buyer != fills.seller).all()
