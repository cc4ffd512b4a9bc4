"""Who both makes and takes: a ring does, a maker of markets and an arbitrageur do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.extract import extract
from features.rings import SYMBOL_5M

Make = Callable[[list[dict[str, object]]], pl.DataFrame]


def share(events: pl.DataFrame) -> float | None:
    (value,) = extract(SYMBOL_5M, events)["both_roles_share"].to_list()
    return None if value is None else float(value)


def test_in_a_ring_everybody_makes_and_takes(make_trades: Make) -> None:
    ring = [("ann", "bob"), ("bob", "cid"), ("cid", "ann")]
    rows = [{"at": i, "buyer": b, "seller": s} for i, (b, s) in enumerate(ring * 3)]
    assert share(make_trades(rows)) == 1.0
    assert share(make_trades([*rows, {"at": 20, "qty": 3.0, "buyer": "eve", "seller": "dan"}])) == (
        pytest.approx(9 / 12)
    )


def test_whoever_trades_with_itself_is_a_ring(make_trades: Make) -> None:
    assert share(make_trades([{"at": 1, "buyer": "ann", "seller": "ann"}])) == 1.0


def test_an_arbitrageur_only_takes_and_its_maker_only_makes(make_trades: Make) -> None:
    bought = {"buyer": "arb", "seller": "maker"}
    sold = {"side": "sell", "buyer": "maker", "seller": "arb"}
    rows = [{"at": i, **(sold if i % 2 else bought)} for i in range(10)]
    assert share(make_trades(rows)) == 0.0


def test_the_lesser_of_what_was_made_and_taken_counts(make_trades: Make) -> None:
    rows: list[dict[str, object]] = [
        {"at": 1, "qty": 4.0, "buyer": "ann", "seller": "bob"},
        {"at": 2, "qty": 1.0, "buyer": "cid", "seller": "ann"},
        {"at": 3, "qty": 9.0},  # nobody knows whose
    ]
    assert share(make_trades(rows)) == pytest.approx(1 / 5)


def test_without_accounts_nothing_is_claimed(make_trades: Make) -> None:
    assert share(make_trades([{"at": 1}, {"at": 2}])) is None


@given(data=st.data())
def test_it_equals_its_definition_in_plain_loops(
    data: st.DataObject, trades: st.SearchStrategy[pl.DataFrame]
) -> None:
    events = data.draw(trades)
    made: dict[object, float] = defaultdict(float)
    taken: dict[object, float] = defaultdict(float)
    total: dict[object, float] = defaultdict(float)
    start: dict[datetime, datetime] = {}
    for row in events.iter_rows(named=True):
        at = row["ts"]
        start[at] = at.replace(minute=at.minute // 5 * 5, second=0, microsecond=0)
        if row["buyer"] is None or row["seller"] is None:
            continue
        window = (row["symbol"], start[at])
        roles = (row["buyer"], row["seller"])
        taker, maker = roles if row["side"] == "buy" else roles[::-1]
        taken[(window, taker)] += row["qty"]
        made[(window, maker)] += row["qty"]
        total[window] += row["qty"]
    both: dict[object, float] = defaultdict(float)
    for (window, account), qty in taken.items():
        both[window] += min(qty, made.get((window, account), 0.0))
    for row in extract(SYMBOL_5M, events).iter_rows(named=True):
        window = (row["entity"], row["start"])
        expected = both[window] / total[window] if window in total else None
        assert row["both_roles_share"] == (
            None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-9)
        )
