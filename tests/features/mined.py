"""Transactions for the tests of this folder, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.transactions import TRANSACTIONS

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
TYPES = {c.name: c.type for c in TRANSACTIONS.columns}


def mined(*rows: dict[str, Any]) -> pl.DataFrame:
    """Valid transactions to ``vault`` from rows that name only what matters.

    ``at`` is in seconds after noon, ``ether`` in ether.
    """
    given = [
        {"address": "vault", "hash": f"h{i}", "index": i, "sender": "ann", "success": True}
        | {"ts": AT + timedelta(seconds=row.get("at", 0)), "value_wei": row.get("ether", 0) * 1e18}
        | {name: value for name, value in row.items() if name not in ("at", "ether")}
        for i, row in enumerate(rows)
    ]
    columns = {name for row in given for name in row}
    frame = pl.DataFrame(given, schema={n: t for n, t in TYPES.items() if n in columns})
    validated = TRANSACTIONS.validate(frame, now=AT + timedelta(days=999))
    validated.refused.raise_first()
    return validated.events
