"""Makers quote both sides around the price, follow it, and lean to where the book is deep."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.simulate import agents
from pipeline.simulate import matching as m
from pipeline.simulate.book import BUY, SELL
from pipeline.simulate.exchange import MAKERS, PAIRS, Exchange, instructions

NOW = 1_772_409_600_000_000
SECOND = 1_000_000
PAIR = PAIRS[2]


@pytest.fixture
def exchange() -> Exchange:
    """An exchange with one pair, whose makers have quoted."""
    new = Exchange(NOW, (PAIR,))
    look(new, NOW)
    return new


def look(exchange: Exchange, at: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Every maker looks at its quotes."""
    exchange.submit(instructions(at, agents.QUOTE, 0, account=np.arange(MAKERS)))
    return exchange.run(at + 1)[0]


def middle(exchange: Exchange) -> float:
    return float(exchange.books.touch[0].mean())


def test_makers_quote_five_levels_on_both_sides_of_the_price(exchange: Exchange) -> None:
    assert exchange.books.totals[3] == MAKERS * 2 * agents.LEVELS
    price = PAIR.price / PAIR.tick
    bid, ask = exchange.books.touch[0, [BUY, SELL]]
    assert bid < price < ask
    assert (ask - bid) / price == pytest.approx(2 * PAIR.half_spread, abs=3 / price)


def test_makers_that_see_nothing_new_do_nothing(exchange: Exchange) -> None:
    assert len(look(exchange, NOW + SECOND)) == 0


def test_quotes_follow_the_fundamental(exchange: Exchange) -> None:
    before = middle(exchange)
    exchange.submit(instructions(NOW + 1, agents.MOVE, 0, price=0.05 * agents.SCALE))
    exchange.run(NOW + 2)
    rows = look(exchange, NOW + SECOND)
    assert middle(exchange) / before == pytest.approx(np.exp(0.05), rel=1e-3)
    assert set(rows[:, m.R_KIND].tolist()) == {m.CANCELLED, m.NEW}


def test_what_takers_buy_presses_the_price_up_and_wears_off(exchange: Exchange) -> None:
    before = agents.fair(exchange.drive, 0, NOW)
    qty = exchange.lots(0, 30 * PAIR.value)
    exchange.submit(instructions(NOW + 1, agents.MARKET, 0, account=50, side=BUY, qty=qty))
    exchange.run(NOW + 2)
    pressed = agents.fair(exchange.drive, 0, NOW + 2)
    later = agents.fair(exchange.drive, 0, NOW + 3_600 * SECOND)
    assert before < later < pressed
    assert exchange.makers[0, :, agents.INVENTORY].sum() == -qty


def test_a_deep_side_draws_the_makers_to_it(exchange: Exchange) -> None:
    before = middle(exchange)
    qty = exchange.lots(0, 300 * PAIR.value)
    exchange.submit(instructions(NOW + 1, agents.PEGGED, 0, account=50, side=BUY, qty=qty, price=3))
    exchange.run(NOW + 2)
    # A lean of half a half spread may lie within what a maker leaves as it is: so move a little.
    exchange.drive[0, agents.LEAN] *= 4
    look(exchange, NOW + SECOND)
    assert middle(exchange) > before


def test_a_market_order_pays_at_most_three_percent_more(exchange: Exchange) -> None:
    best = exchange.books.touch[0, SELL]
    far = int(best * 1.04)
    exchange.submit(instructions(NOW + 1, agents.LIMIT, 0, account=9, side=SELL, qty=9, price=far))
    exchange.submit(instructions(NOW + 2, agents.MARKET, 0, account=50, side=BUY, qty=10**9))
    rows, _ = exchange.run(NOW + 3)
    fills = rows[rows[:, m.R_KIND] == m.FILLED]
    assert fills[:, m.R_PRICE].max() <= best * 1.03
    assert rows[-1, m.R_KIND] == m.CANCELLED


def test_a_sample_tells_the_best_prices_and_what_is_there(exchange: Exchange) -> None:
    exchange.submit(instructions(NOW + 5, agents.SAMPLE, 0))
    _, samples = exchange.run(NOW + 6)
    touch, levels = exchange.books.touch[0], exchange.books.levels[0]
    assert samples.tolist() == [
        [
            NOW + 5,
            0,
            touch[BUY],
            touch[SELL],
            levels[BUY, 2, touch[BUY]],
            levels[SELL, 2, touch[SELL]],
        ]
    ]
