"""Rows of the engine become valid orders and trades; an empty side has no price."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from features.orders import ORDERS
from features.trading import TRADES
from pipeline.simulate import agents
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import PAIRS, Exchange, instructions
from pipeline.simulate.people import People
from pipeline.simulate.tape import orders_frame, times, trades_frame

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW = int(NOON.timestamp()) * 1_000_000
NAMES = People(1).names


def test_times_are_aware() -> None:
    assert times(np.array([NOW])).to_list() == [NOON]


def test_a_sale_into_a_bid_is_told_as_it_was() -> None:
    exchange = Exchange(NOW, PAIRS[2:3])
    for at, kind, account, side, qty in (
        (1, agents.LIMIT, 7, BUY, 30),
        (2, agents.MARKET, 8, SELL, 10),
    ):
        exchange.submit(
            instructions(NOW + at, kind, 0, account=account, side=side, qty=qty, price=15_000)
        )
    rows, _ = exchange.run(NOW + 9)
    ids, zeros = np.arange(len(rows)), np.zeros(len(rows))
    orders = orders_frame(exchange.pairs, rows, ids, zeros, zeros, NAMES)
    trades = trades_frame(exchange.pairs, rows, ids, NAMES)
    for stream, frame in ((ORDERS, orders), (TRADES, trades)):
        assert stream.validate(frame, now=NOON.replace(hour=13)).refused.counts == {}
    assert orders["kind"].to_list() == ["new", "new", "fill", "fill"]
    assert orders["price"].to_list() == [150.0, None, 150.0, 150.0]
    assert orders["best_bid"].to_list() == [None, 150.0, 150.0, 150.0]
    assert orders["best_ask"].null_count() == 4
    (trade,) = trades.drop("ts", "id").iter_rows(named=True)
    assert trade == {
        "symbol": "SOLUSDT",
        "price": 150.0,
        "qty": 0.1,
        "side": "sell",
        "buyer": "account-00007",
        "seller": "account-00008",
    }
