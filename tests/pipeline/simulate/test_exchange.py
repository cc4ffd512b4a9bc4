"""The exchange carries instructions out in order of time, and withdraws what it is told to."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulate import agents
from pipeline.simulate import matching as m
from pipeline.simulate.book import BUY, LIVE, SELL
from pipeline.simulate.exchange import PAIRS, Exchange, instructions

NOW = 1_772_409_600_000_000
ACCOUNT = 50


def test_instructions_wait_for_their_time_and_are_carried_out_in_order() -> None:
    exchange = Exchange(NOW, PAIRS[:1])
    for after in (30, 10, 20):
        exchange.submit(
            instructions(NOW + after, agents.LIMIT, 0, account=after, side=BUY, qty=1, price=100)
        )
    rows, _ = exchange.run(NOW + 25)
    assert rows[:, m.R_ACCOUNT].tolist() == [10, 20]
    rows, _ = exchange.run(NOW + 60)
    assert rows[:, m.R_ACCOUNT].tolist() == [30]


def test_an_order_is_withdrawn_or_changed_by_its_handle_and_only_while_it_is_there() -> None:
    exchange = Exchange(NOW, PAIRS[:1])
    first, second = exchange.new_handles(2)
    enter = {"account": ACCOUNT, "side": BUY, "qty": 5}
    for handle in (first, second):
        exchange.submit(instructions(NOW, agents.LIMIT, 0, price=100, handle=handle, **enter))
    exchange.submit(instructions(NOW + 1, agents.MODIFY, 0, qty=3, handle=second))
    for at in (2, 3):
        exchange.submit(instructions(NOW + at, agents.CANCEL, 0, handle=[first, second]))
    rows, _ = exchange.run(NOW + 10)
    told = rows[:, [m.R_KIND, m.R_ORDER, m.R_QTY]].tolist()
    assert told == [
        [m.NEW, 1, 5],
        [m.NEW, 2, 5],
        [m.CHANGED, 2, 3],
        [m.CANCELLED, 1, 5],
        [m.CANCELLED, 2, 3],
    ]
    assert exchange.books.totals[LIVE] == 0


def test_lots_are_worth_the_value_at_the_price_now() -> None:
    exchange = Exchange(NOW)
    for s, pair in enumerate(PAIRS):
        lots = exchange.lots(s, 10_000.0)
        assert lots * pair.lot * pair.price == pytest.approx(10_000, rel=0.2)
    assert (exchange.lots(np.array([0, 1]), np.zeros(2)) == 1).all()


def test_more_orders_than_there_is_room_for_find_room() -> None:
    exchange = Exchange(NOW, PAIRS[:1])
    count = 2 * len(exchange.books.orders)
    prices = 100 + np.arange(count) % 50
    exchange.submit(
        instructions(NOW, agents.LIMIT, 0, account=ACCOUNT, side=SELL, qty=1, price=prices)
    )
    rows, _ = exchange.run(NOW + 1)
    assert len(rows) == count == exchange.books.totals[LIVE]
