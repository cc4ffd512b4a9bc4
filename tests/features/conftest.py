"""Events for the tests of this folder, made by hand or by hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.extract import US
from features.trading import TRADES

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

# Ties, one millisecond and its neighbour, edges of 5 s windows, and gaps that outlast them.
STEPS = (0, 0, 1, 400, 999, 1_000, 250_000, 1_000_000, 2_500_000, 5_000_000, 7_300_000, 61_000_000)
ACCOUNTS = st.sampled_from([None, "ann", "bob", "cid"])


@pytest.fixture(scope="session")
def noon() -> datetime:
    """An instant on the edge of a window."""
    return NOON


def _make_trades(rows: list[dict[str, object]]) -> pl.DataFrame:
    frame = pl.DataFrame(
        [
            {"symbol": "A", "id": i, "price": 1.0, "qty": 1.0, "side": "buy"}
            | row
            | {"ts": NOON + timedelta(seconds=row["at"])}  # type: ignore[arg-type]
            for i, row in enumerate(rows)
        ]
    )
    validated = TRADES.validate(frame, now=NOON + timedelta(days=2))
    validated.refused.raise_first()
    return validated.events


@pytest.fixture(scope="session")
def make_trades() -> Callable[[list[dict[str, object]]], pl.DataFrame]:
    """Trades from rows that name only what matters; ``at`` is in seconds after noon."""
    return _make_trades


@st.composite
def _trades(draw: st.DrawFn, max_size: int = 30) -> pl.DataFrame:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(STEPS),
                st.sampled_from(["A", "B", "C"]),
                st.sampled_from([0.5, 1.0, 1.1, 7.25, 30_000.0]),
                st.sampled_from([0.001, 1.0, 1.0, 2.5, 1e6]),
                st.sampled_from(["buy", "buy", "sell"]),
                ACCOUNTS,
                ACCOUNTS,
            ),
            min_size=draw(st.sampled_from([1, 10])),
            max_size=max_size,
        )
    )
    steps, symbol, price, qty, side, buyer, seller = zip(*rows, strict=True)
    first = (NOON - datetime(1970, 1, 1, tzinfo=UTC)) // US
    return pl.DataFrame(
        {
            "ts": first + pl.Series(steps).cum_sum(),
            "symbol": symbol,
            "id": draw(st.permutations(range(len(rows)))),
            "price": price,
            "qty": qty,
            "side": side,
            "buyer": buyer,
            "seller": seller,
        },
        schema={c.name: c.type for c in TRADES.columns} | {"ts": pl.Int64()},
    ).with_columns(pl.col("ts").cast(TRADES.columns[0].type))


@pytest.fixture(scope="session")
def trades() -> st.SearchStrategy[pl.DataFrame]:
    """Valid trades of up to three symbols in order of time, their ids in any order."""
    return _trades()


def _assert_same_windows(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, rel_tol=1e-9, abs_tol=1e-9)


@pytest.fixture(scope="session")
def assert_same_windows() -> Callable[[pl.DataFrame, pl.DataFrame], None]:
    """Fails unless two frames of windows agree to 1e-9, row by row."""
    return _assert_same_windows
