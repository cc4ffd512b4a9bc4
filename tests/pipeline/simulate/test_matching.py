"""The engine against a plain one: the same rows, whatever the orders; nothing lost or jumped."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.simulate import matching as m
from pipeline.simulate.book import BUY, NUMBER, SELL, Books, new_books

TICKS = 12
Row = tuple[int, ...]


@dataclass
class Resting:
    """An order of the oracle."""

    number: int
    account: int
    side: int
    price: int
    left: int


class Oracle:
    """The rules in their plainest form: one list of orders, searched from end to end."""

    def __init__(self) -> None:
        self.book: list[Resting] = []
        self.rows: list[Row] = []
        self.next = 1

    def tell(self, kind: int, order: Resting, qty: int, price: int, other: int = -1) -> None:
        self.rows.append((kind, order.account, order.number, order.side, qty, price, other))

    def best(self, order: Resting) -> Resting | None:
        """Whom an order meets: the best price, and of equals who came first."""
        sign = 1 if order.side == BUY else -1
        others = [o for o in self.book if o.side != order.side]
        others = [o for o in others if sign * o.price <= sign * order.price]
        return min(others, key=lambda o: sign * o.price, default=None)

    def settle(self, order: Resting, told: int, policy: int) -> None:
        while order.left and (other := self.best(order)):
            if other.account == order.account and policy == m.CANCEL_INCOMING:
                told = min(told, 0)
                break
            if other.account == order.account and policy == m.CANCEL_RESTING:
                self.cancel(other)
                continue
            qty = min(order.left, other.left)
            self.tell(m.FILLED, other, qty, other.price)
            self.tell(m.FILLED, order, qty, other.price, other.account)
            order.left -= qty
            other.left -= qty
            if not other.left:
                self.book.remove(other)
        if order.left and told > 0:
            self.book.append(order)
        elif order.left:
            self.tell(m.CANCELLED, order, order.left, -1 if told < 0 else order.price)

    def cancel(self, order: Resting) -> None:
        self.tell(m.CANCELLED, order, order.left, order.price)
        self.book.remove(order)

    def enter(self, account: int, side: int, qty: int, price: int, policy: int, mkt: bool) -> None:
        order = Resting(self.next, account, side, price, qty)
        self.next += 1
        if qty <= 0 or not 0 < price < TICKS:
            self.tell(m.REFUSED, order, max(qty, 0), -1)
            return
        told = -1 if mkt else price
        self.tell(m.NEW, order, qty, told)
        self.settle(order, told, policy)

    def amend(self, order: Resting, qty: int, price: int, policy: int) -> None:
        if qty <= 0 or not 0 < price < TICKS:
            self.tell(m.REFUSED, order, max(qty, 0), -1)
            return
        self.tell(m.CHANGED, order, qty, price)
        if price == order.price and qty <= order.left:
            order.left = qty
            return
        self.book.remove(order)
        order.left, order.price = qty, price
        self.settle(order, price, policy)


def rows_of(books: Books) -> list[Row]:
    told = [m.R_KIND, m.R_ACCOUNT, m.R_ORDER, m.R_SIDE, m.R_QTY, m.R_PRICE, m.R_OTHER]
    return [tuple(row) for row in books.rows[: books.totals[2], told].tolist()]


def slot_of(books: Books, number: int) -> int:
    (slot,) = np.flatnonzero(books.orders[:, NUMBER] == number)
    return int(slot)


messages = st.lists(
    st.tuples(
        st.sampled_from(["limit", "limit", "market", "cancel", "amend"]),
        st.integers(0, 3),
        st.sampled_from([BUY, SELL]),
        st.integers(0, 9),
        st.integers(0, TICKS),
        st.sampled_from([m.ALLOW, m.CANCEL_RESTING, m.CANCEL_INCOMING]),
        st.integers(0, 100),
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(messages)
def test_the_engine_does_what_the_plain_one_does(todo: list[tuple[object, ...]]) -> None:
    books, oracle = new_books(2, TICKS, 64, 2_000), Oracle()
    for at, (kind, account, side, qty, price, policy, which) in enumerate(todo):
        if kind in ("limit", "market"):
            market = kind == "market"
            m.enter(books, at, 1, account, side, qty, price, policy, market)
            oracle.enter(account, side, qty, price, policy, market)
        elif oracle.book:
            order = oracle.book[which % len(oracle.book)]
            slot = slot_of(books, order.number)
            if kind == "cancel":
                m.withdraw(books, at, 1, slot)
                oracle.cancel(order)
            else:
                m.amend(books, at, 1, slot, qty, price, policy)
                oracle.amend(order, qty, price, policy)
        assert books.touch[1, BUY] < books.touch[1, SELL]  # never crossed
        bids = [o.price for o in oracle.book if o.side == BUY]
        asks = [o.price for o in oracle.book if o.side == SELL]
        assert books.touch[1].tolist() == [min(asks, default=TICKS), max(bids, default=0)]
    assert rows_of(books) == oracle.rows
    assert books.levels[1, :, 2].sum() == sum(o.left for o in oracle.book)
    assert books.totals[3] == len(oracle.book)
    assert (books.touch[0] == [TICKS, 0]).all()  # the other book saw nothing


@settings(max_examples=100, deadline=None)
@given(messages)
def test_no_quantity_is_made_or_lost(todo: list[tuple[object, ...]]) -> None:
    books = new_books(1, TICKS, 64, 2_000)
    for at, (_, account, side, qty, price, policy, which) in enumerate(todo):
        m.enter(books, at, 0, account, side, qty, price, policy, which % 3 == 0)
    rows = books.rows[: books.totals[2]]

    def lots(kind: int) -> int:
        return int(rows[rows[:, m.R_KIND] == kind, m.R_QTY].sum())

    at_rest = int(books.levels[0, :, 2].sum())
    assert lots(m.NEW) == lots(m.FILLED) + lots(m.CANCELLED) + at_rest
    fills = rows[rows[:, m.R_KIND] == m.FILLED]
    sides = [fills[fills[:, m.R_SIDE] == side, m.R_QTY].sum() for side in (BUY, SELL)]
    assert sides[0] == sides[1]


def test_the_better_price_is_met_first_and_then_who_came_first() -> None:
    books = new_books(1, TICKS)
    for account, price in enumerate((6, 5, 5)):
        m.enter(books, account, 0, account, SELL, 1, price, m.ALLOW, False)
    m.enter(books, 9, 0, 9, BUY, 3, 11, m.ALLOW, True)
    taken = [row[m.R_OTHER] for row in books.rows[: books.totals[2]] if row[m.R_OTHER] >= 0]
    assert taken == [1, 2, 0]


def test_less_at_the_same_price_keeps_the_place_and_more_does_not() -> None:
    for qty, first in ((1, 0), (3, 1)):
        books = new_books(1, TICKS)
        slot = m.enter(books, 0, 0, 0, SELL, 2, 5, m.ALLOW, False)
        m.enter(books, 1, 0, 1, SELL, 2, 5, m.ALLOW, False)
        m.amend(books, 2, 0, slot, qty, 5, m.ALLOW)
        m.enter(books, 3, 0, 9, BUY, 1, 5, m.ALLOW, False)
        assert books.rows[books.totals[2] - 1, m.R_OTHER] == first


@pytest.mark.parametrize(
    ("policy", "kinds"),
    [
        (m.ALLOW, [m.NEW, m.NEW, m.FILLED, m.FILLED]),
        (m.CANCEL_RESTING, [m.NEW, m.NEW, m.CANCELLED]),
        (m.CANCEL_INCOMING, [m.NEW, m.NEW, m.CANCELLED]),
    ],
)
def test_an_order_says_what_happens_when_it_meets_its_own_account(
    policy: int, kinds: list[int]
) -> None:
    books = new_books(1, TICKS)
    m.enter(books, 0, 0, 7, SELL, 1, 5, policy, False)
    slot = m.enter(books, 1, 0, 7, BUY, 1, 5, policy, False)
    rows = books.rows[: books.totals[2]]
    assert rows[:, m.R_KIND].tolist() == kinds
    assert (slot >= 0) == (policy == m.CANCEL_RESTING)
    assert rows[-1, m.R_ORDER] == {m.ALLOW: 2, m.CANCEL_RESTING: 1, m.CANCEL_INCOMING: 2}[policy]
