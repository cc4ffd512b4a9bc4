"""A book knows its best prices and depth, and gets room without moving an order."""

from __future__ import annotations

import numpy as np

from pipeline.simulate.book import BUY, DEPTH, HEAD, LIVE, SELL, depth_near, leave, new_books
from pipeline.simulate.book import with_room as grown
from pipeline.simulate.matching import ALLOW, enter

TICKS = 2_000


def test_depth_is_counted_within_fifty_basis_points_of_the_best() -> None:
    books = new_books(1, TICKS)
    for price, qty in ((1_000, 1), (995, 2), (994, 4)):
        enter(books, 0, 0, 1, BUY, qty, price, ALLOW, False)
    for price, qty in ((1_001, 8), (1_006, 16), (1_007, 32)):
        enter(books, 0, 0, 1, SELL, qty, price, ALLOW, False)
    assert depth_near(books, 0, BUY) == 3
    assert depth_near(books, 0, SELL) == 24


def test_the_best_price_moves_to_the_next_when_its_last_order_leaves() -> None:
    books = new_books(1, TICKS)
    slots = [enter(books, 0, 0, 1, BUY, 1, price, ALLOW, False) for price in (900, 1_000)]
    assert books.touch[0].tolist() == [TICKS, 1_000]
    for slot, best in zip(reversed(slots), (900, 0), strict=True):
        leave(books, 0, slot)
        assert books.touch[0, BUY] == best
    assert books.totals[LIVE] == 0


def test_more_room_moves_no_order() -> None:
    books = new_books(1, TICKS, slots=2)
    for price in (900, 1_000):
        enter(books, 0, 0, 1, BUY, 1, price, ALLOW, False)
    more = grown(books, 5)
    assert np.array_equal(more.orders[:2], books.orders)
    assert (more.levels[0, BUY, HEAD, [900, 1_000]] == [0, 1]).all()
    for price in (901, 902, 903):
        enter(more, 0, 0, 1, BUY, 1, price, ALLOW, False)
    assert more.levels[0, BUY, DEPTH].sum() == 5
