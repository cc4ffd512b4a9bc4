"""An alert engine over a store, and windows to feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from serving.alerts.engine import AlertEngine
from serving.rules.rule import Pack

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = VIEWS["system.host_1m"]
PACK = Pack.model_validate(
    {
        "pack": "test",
        "about": "one ladder",
        "ladders": [
            {
                "family": "host.memory",
                "title": "Memory",
                "view": HOST.name,
                "feature": "memory_max",
                "unit": "%",
                "operator": ">",
                "for": "2",
                "summary": "{entity} uses {value:.0f} % of its memory",
                "rungs": [
                    {
                        "id": f"host.memory.{word}",
                        "limit": limit,
                        "severity": word,
                        "playbook": playbook,
                        "hit": [[{"memory_max": 99}]],
                        "miss": [[{"memory_max": 1}]],
                    }
                    for word, limit, playbook in (
                        ("medium", 75, ""),
                        ("high", 85, "performance_degradation"),
                        ("critical", 95, ""),
                    )
                ],
            }
        ],
    }
)


class NoCorrelations:
    """Rules that join nothing."""

    def breaches(self, found: Sequence[Any], *, at: datetime) -> list[Any]:
        return []

    def holds(self, family: str, entity: str, *, at: datetime) -> bool:
        return False

    def state(self) -> dict[str, dict[str, Any] | None]:
        return {}

    def restore(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        return


class Bench:
    """An engine, a store and a clock: `minute` feeds one window of each host and commits."""

    def __init__(self, engine: sa.Engine, build: Callable[[], AlertEngine]) -> None:
        self.engine = engine
        self._build = build
        self.alerts = build()
        self.now = NOON

    def restart(self) -> None:
        """What a process that died would find."""
        self.alerts = self._build()

    def minute(
        self, hosts: Mapping[str, float | None], *, rare: Mapping[str, float] | None = None
    ) -> list[Any]:
        """One minute in which hosts use so much memory; ``rare`` gives scores, 1/day."""
        windows, scores = _minute(self.now, hosts, rare or {})
        self.now += timedelta(minutes=1)
        with self.engine.begin() as connection:
            return self.alerts.take(connection, HOST, windows, scores, [], now=self.now)

    def tick(self, later: timedelta = timedelta(0)) -> None:
        """Let time pass, then do what time alone does."""
        self.now += later
        with self.engine.begin() as connection:
            self.alerts.tick(connection, now=self.now)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Everything in a table."""
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def window(bench: Bench, value: float | None) -> tuple[Any, pl.DataFrame, pl.DataFrame, list[Any]]:
    """What `AlertEngine.take` takes, for the minute of one host that is next."""
    return HOST, *_minute(bench.now, {"a": value}, {}), []


def _minute(
    start: datetime, hosts: Mapping[str, float | None], rare: Mapping[str, float]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows = [
        {"entity": name, "start": start, "end": start + timedelta(minutes=1), "memory_max": value}
        for name, value in sorted(hosts.items())
    ]
    windows = pl.DataFrame(rows, schema=dict(HOST.schema))
    rates = [rare.get(name, 1e4) for name in sorted(hosts)]
    scores = windows.select("entity", "start", "end").with_columns(
        pl.Series("per_day", rates, pl.Float64), warm=pl.lit(True)
    )
    return windows, scores
