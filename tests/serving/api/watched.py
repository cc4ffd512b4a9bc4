"""Windows and scores in a caller's lake: a level with one spike."""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from features.catalogue import VIEWS
from tests.serving.api.calling import HOST, NOON, Caller

__all__ = ["SPIKE", "fill", "score"]

SPIKE = NOON - timedelta(minutes=30)


def fill(call: Caller, entity: str = "a", *, minutes: int = 600, level: float = 50.0) -> None:
    """Minutes up to noon at 49 to 51 %, but 99 % at the spike."""
    starts = [NOON - timedelta(minutes=back) for back in range(minutes, 0, -1)]
    used = [99.0 if at == SPIKE else level - 1 + (at.minute % 3) for at in starts]
    windows = pl.DataFrame({"entity": entity, "start": starts, "memory_max": used})
    ends = windows.with_columns((pl.col("start") + HOST.every).alias("end"))
    whole = ends.select(
        pl.col(name).cast(kind) if name in ends.columns else pl.lit(None, kind).alias(name)
        for name, kind in VIEWS[HOST.name].schema.items()
    )
    call.house.lake.append(HOST.name, whole)
    score(call, entity, [(at, 0.01 if at == SPIKE else 1e3, True) for at in starts])


def score(call: Caller, entity: str, rows: list[tuple[datetime, float, bool]]) -> None:
    """Scores as the stream writes them."""
    scores = pl.DataFrame(
        [(entity, at, at + HOST.every, rate, warm) for at, rate, warm in rows],
        schema={
            **{name: HOST.schema[name] for name in ("entity", "start", "end")},
            "per_day": pl.Float64(),
            "warm": pl.Boolean(),
        },
        orient="row",
    )
    call.house.lake.append(f"scores/{HOST.name}", scores)
