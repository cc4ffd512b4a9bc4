"""The kernels of order messages against the plain definition, row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.order_life import HOLD, LARGE_TO_FILLED, entry_rows, withdrawn_after_fill


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 80))
def test_entry_is_the_last_one_of_the_order_in_the_window(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    order = rng.integers(0, 6, rows, np.uint32)
    enters = rng.random(rows) < 0.4
    window = np.sort(rng.integers(1, 5, rows))
    expected = [
        max(
            (
                j
                for j in range(i + 1)
                if enters[j] and order[j] == order[i] and window[j] == window[i]
            ),
            default=-1,
        )
        for i in range(rows)
    ]
    assert entry_rows(order, enters, window).tolist() == expected


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 80))
def test_withdrawn_after_fill_is_as_defined(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    account = rng.integers(0, 2, rows, np.uint32)
    is_buy = rng.random(rows) < 0.5
    kind = rng.choice(3, rows)
    at = np.sort(rng.integers(0, 12, rows)) * HOLD // 4
    entered = np.maximum(at - rng.integers(0, 9, rows) * HOLD // 4, -1)
    size = rng.choice([1.0, 2.0, 5.0, 10.0], rows)
    window = np.sort(rng.integers(1, 3, rows))

    def expected(i: int) -> bool:
        fills = [
            size[j]
            for j in range(i)
            if kind[j] == 0
            and account[j] == account[i]
            and is_buy[j] != is_buy[i]
            and window[j] == window[i]
            and at[j] >= entered[i]
            and at[i] - at[j] <= HOLD
        ]
        known = kind[i] == 1 and entered[i] >= 0 and len(fills) > 0
        return bool(known and size[i] >= LARGE_TO_FILLED * max(fills))

    found = withdrawn_after_fill(account, is_buy, kind == 0, kind == 1, at, entered, size, window)
    assert found.tolist() == [expected(i) for i in range(rows)]
