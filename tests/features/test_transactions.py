"""The border of mined transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from features.transactions import TRANSACTIONS

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
LEAST: dict[str, Any] = {
    "ts": AT,
    "address": "vault",
    "hash": "h",
    "sender": "ann",
    "value_wei": 0.0,
    "success": True,
}


def test_a_history_without_receipts_is_enough_and_its_position_is_its_index() -> None:
    validated = TRANSACTIONS.validate(pl.DataFrame([LEAST, LEAST]), now=AT)
    assert validated.events["index"].to_list() == [0, 1]
    assert validated.events["gas_used"].null_count() == 2


def test_a_transaction_that_touches_two_addresses_is_two_rows() -> None:
    rows = [LEAST | {"index": 3}, LEAST | {"index": 3, "address": "token"}]
    assert len(TRANSACTIONS.validate(pl.DataFrame(rows), now=AT).events) == 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"value_wei": -1.0}, "out_of_range"),
        ({"privileged": "coup"}, "unknown_value"),
        ({"sender": None}, "null"),
        ({"gas_used": float("inf")}, "non_finite"),
        ({"ts": AT + timedelta(days=2)}, "absurd_time"),
    ],
)
def test_what_no_chain_can_say_is_refused(wrong: dict[str, Any], reason: str) -> None:
    types = {c.name: c.type for c in TRANSACTIONS.columns if c.type in (pl.String, pl.Float64)}
    raw = pl.DataFrame([LEAST | wrong], schema_overrides=types)
    assert TRANSACTIONS.validate(raw, now=AT).refused.counts == {reason: 1}
