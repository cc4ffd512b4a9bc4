"""Alerts from verdict to outbox: judged, joined, grouped, stored and told in one transaction."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from benchmarks.harness import Result, compare
from features.catalogue import VIEWS
from pipeline.database import open_engine
from serving.alerts.engine import AlertEngine
from serving.rules.book import RuleBook
from serving.rules.correlate import Correlator
from serving.rules.rule import Pack
from serving.store.migrate import migrate
from serving.store.tables import alerts, incidents, outbox

__all__ = ["run"]

VIEW = VIEWS["system.host_1m"]
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
LONG_AGO = FIRST - timedelta(days=1)
ALERTS = 1_000
PACK = Pack.model_validate(
    {
        "pack": "bench",
        "about": "one limit",
        "ladders": [
            {
                "family": "host.memory",
                "title": "Memory",
                "view": VIEW.name,
                "feature": "memory_max",
                "unit": "%",
                "operator": ">",
                "for": "1",
                "summary": "{entity} uses {value:.0f} % of its memory",
                "rungs": [
                    {
                        "id": "host.memory.medium",
                        "limit": 75,
                        "severity": "medium",
                        "hit": [[{"memory_max": 99}]],
                        "miss": [[{"memory_max": 1}]],
                    }
                ],
            }
        ],
    }
)


def run(quick: bool = False) -> list[Result]:
    """Alerts/s through `AlertEngine.take`, 1,000 new ones a step (100 if quick).

    Each alert is an incident with three messages. The peer writes the same alert and outbox rows
    and nothing else, one statement for each table: what the database alone takes. ``parity`` is
    how many alerts or messages are missing. On PostgreSQL too, where TOCSIN_BENCH_POSTGRES gives
    the URL of an empty database.
    """
    rows = 100 if quick else ALERTS
    with tempfile.TemporaryDirectory() as folder:
        stores = {"alerts.commit": f"sqlite:///{Path(folder) / 'store.db'}"}
        if url := os.environ.get("TOCSIN_BENCH_POSTGRES"):
            stores["alerts.commit.postgres"] = url
        return [_one(name, url, rows) for name, url in stores.items()]


def _one(name: str, url: str, rows: int) -> Result:
    with _migrated(url) as engine:
        turn = count()
        alert_engine = AlertEngine(RuleBook([PACK]), Correlator([PACK]))

        def ours() -> None:
            number = next(turn)
            windows = _windows(number, rows)
            scores = windows.select("entity", "start", "end").with_columns(
                per_day=pl.lit(1e4), warm=pl.lit(True)
            )
            with engine.begin() as connection:
                now = FIRST + timedelta(minutes=number + 1)
                alert_engine.take(connection, VIEW, windows, scores, [], now=now)
                # As when hours have passed: the next step looks at nothing of this one.
                over = {"state": "resolved"}
                for table, more in ((alerts, {"updated_at": LONG_AGO}), (incidents, {})):
                    still = table.c.state != "resolved"
                    connection.execute(table.update().where(still).values(**over, **more))

        ours()
        with engine.connect() as connection:
            made = [len(connection.execute(sa.select(table)).all()) for table in (alerts, outbox)]
        peer = _peer(engine, rows)
        return compare(
            name,
            ours,
            peer,
            f"the same rows inserted, {engine.dialect.name}",
            "alerts/s",
            float(abs(made[0] - rows) + abs(made[1] - 3 * rows)),
            rows=rows,
            repeats=5,
        )


@contextmanager
def _migrated(url: str) -> Iterator[sa.Engine]:
    engine = open_engine(url)
    try:
        migrate(engine)
        yield engine
    finally:
        engine.dispose()


def _windows(number: int, rows: int) -> pl.DataFrame:
    """So many hosts that were never seen before and use too much memory."""
    start = FIRST + timedelta(minutes=number)
    names = [f"host-{number:04}-{i:05}" for i in range(rows)]
    given = {"entity": names, "start": start, "end": start + timedelta(minutes=1)}
    return pl.DataFrame(given, schema_overrides=dict(VIEW.schema)).pipe(_filled)


def _filled(frame: pl.DataFrame) -> pl.DataFrame:
    schema = dict(VIEW.schema)
    missing = [pl.lit(None, schema[name]).alias(name) for name in schema if name not in frame]
    return frame.with_columns(missing).with_columns(memory_max=pl.lit(88.0)).select(list(schema))


def _peer(engine: sa.Engine, rows: int) -> Callable[[], None]:
    """Inserts rows like those that are there, under new ids."""
    with engine.connect() as connection:
        kept = {
            table: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in (alerts, outbox)
        }
    turn = count()

    def insert() -> None:
        number = next(turn)
        with engine.begin() as connection:
            for table, found in kept.items():
                fresh = [{**row, "id": f"p{number}.{i}"} for i, row in enumerate(found)]
                if table is outbox:
                    fresh = [{**row, "dedup_key": row["id"]} for row in fresh]
                else:
                    fresh = [{**row, "updated_at": LONG_AGO} for row in fresh]
                connection.execute(table.insert(), fresh)

    return insert
