"""A house with a past: three hours of made-up windows, alerts, an incident and its playbook run."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import uvicorn

from features.catalogue import VIEWS
from pipeline.config import Config
from pipeline.scoring.reasons import Explanation, Reason
from serving.alerts.engine import AlertEngine
from serving.api.app import make_app
from serving.house import House
from serving.store.keys import Role
from serving.store.users import set_user

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
PASSWORD = "correct horse battery"
PEOPLE = {"ann": Role.ADMIN, "bob": Role.RESPONDER, "eve": Role.VIEWER}
HOURS = 3

# Of each view: entities, and features with level and spread.
WORLD: dict[str, tuple[list[str], dict[str, tuple[float, float]]]] = {
    "system.service_1m": (
        ["gateway", "matching-engine", "withdrawals"],
        {
            "availability": (100, 0),
            "throughput": (820, 60),
            "response_p95_max": (210, 25),
            "error_rate": (0.3, 0.08),
            "answered": (49_000, 900),
            "queue_max": (40, 12),
            "utilisation_max": (54, 4),
        },
    ),
    "system.host_1m": (
        ["db-1", "te-01", "te-02", "te-03", "web-1", "web-2"],
        {"cpu_mean": (41, 5), "cpu_max": (52, 6), "memory_mean": (61, 1), "memory_max": (62, 1)},
    ),
    "system.disk_1m": (["db-1 /", "te-01 /"], {"used_last": (66, 0.2)}),
    "system.network_1m": (["db-1 eth0", "te-01 eth0"], {"bandwidth_peak": (3.1e6, 4e5)}),
    "orders.symbol_1m": (
        ["BTC-USD", "ETH-USD", "SOL-USD"],
        {"orders_entered": (2900, 260), "processing_p95": (1.9, 0.2)},
    ),
    "trades.symbol_1m": (
        ["BTC-USD", "ETH-USD", "SOL-USD", HOSTILE],
        {"count": (510, 60), "notional": (9.2e5, 9e4), "volume": (31, 4), "unique_buyers": (88, 9)},
    ),
    "market_data.symbol_venue_1m": (["BTC-USD KRAKEN"], {"age_p95": (41, 4)}),
    "transactions.address_1m": (["vault-07", "bridge-eth"], {"success_rate": (0.994, 0.002)}),
    "access.ip_1m": (
        ["203.0.113.7", "198.51.100.23", "192.0.2.44"],
        {"requests": (260, 40), "login_tries": (5, 2), "login_failures": (1, 1)},
    ),
    "access.account_5m": ([f"u{n}" for n in range(24)], {"count": (14, 5)}),
}


@contextmanager
def house_at(home: Path) -> Iterator[House]:
    """A house with people and a past."""
    sources = ({"kind": "push", "name": "push_host", "stream": "host"},)
    house = House.open(
        Config(home=home, sources=sources, models="cold"), clock=lambda: datetime.now(UTC)
    )
    try:
        with house.engine.begin() as connection:
            for name, role in PEOPLE.items():
                set_user(connection, name, PASSWORD, role, who="test", now=house.clock())
        yield house
    finally:
        house.close()


@contextmanager
def served(house: House) -> Iterator[str]:
    """The house behind uvicorn on a port of its own; gives its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    settings = uvicorn.Config(make_app(house), log_level="error", ws="websockets-sansio")
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield f"http://localhost:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def past(house: House, now: datetime) -> AlertEngine:
    """Fill lake and store; the engine goes on from there."""
    engine = house.alerts()
    for number, (name, (entities, levels)) in enumerate(WORLD.items()):
        windows = _windows(name, entities, levels, now, np.random.default_rng(number))
        scores = _scores(windows, levels)
        house.lake.append(name, windows)
        house.lake.append(f"scores/{name}", scores.drop("z"))
        recent = pl.col("start") >= now - timedelta(minutes=12)
        late, rated = windows.filter(recent), scores.filter(recent)
        for (start,), part in late.group_by(["start"], maintain_order=True):
            mine = rated.filter(pl.col("start") == start)
            end = part["end"].max()
            assert isinstance(end, datetime)
            with house.engine.begin() as connection:
                engine.take(
                    connection, VIEWS[name], part, mine, _why(name, part, mine, levels), now=end
                )
    return engine


def breach(house: House, engine: AlertEngine, host: str, now: datetime) -> None:
    """Three minutes in which a host has too little memory: an alert fires."""
    breaches(house, engine, [host], now)


def breaches(house: House, engine: AlertEngine, hosts: Sequence[str], now: datetime) -> None:
    """The same of many hosts at once: each has its alert."""
    view = VIEWS["system.host_1m"]
    start = now.replace(second=0, microsecond=0) - timedelta(minutes=3)
    for minute in range(3):
        begin = start + timedelta(minutes=minute)
        moment = {"start": begin, "end": begin + timedelta(minutes=1), "memory_max": 97.0}
        rows = [{"entity": host, **moment} for host in hosts]
        windows = pl.DataFrame(rows, schema=dict(view.schema))
        scores = windows.select("entity", "start", "end").with_columns(
            per_day=pl.lit(1e3), warm=pl.lit(True)
        )
        with house.engine.begin() as connection:
            engine.take(connection, view, windows, scores, [], now=now)


def _windows(
    name: str,
    entities: list[str],
    levels: dict[str, tuple[float, float]],
    now: datetime,
    random: np.random.Generator,
) -> pl.DataFrame:
    view = VIEWS[name]
    count = int(timedelta(hours=HOURS + 6) / view.every)
    last = now.replace(second=0, microsecond=0) - view.every
    starts = [last - view.every * back for back in range(count - 1, -1, -1)]
    spikes = _spikes(name, count)
    frames = []
    for entity in entities:
        wave = 1 + 0.08 * np.sin(np.linspace(0, 9, count))
        columns = {}
        for feature, (level, spread) in levels.items():
            values = (
                level * wave + random.normal(0, spread, count) if spread else np.full(count, level)
            )
            for at, (who, factor) in spikes.items():
                if who == entities.index(entity) and spread:
                    values[at] = level * factor.get(feature, 1.0) + random.normal(0, spread)
            top = 100.0 if feature in ("availability", "cpu_mean", "memory_max") else np.inf
            columns[feature] = np.clip(values, 0, 1.0 if feature == "success_rate" else top)
        frame = pl.DataFrame({"entity": entity, "start": starts, **columns})
        frames.append(frame.with_columns((pl.col("start") + view.every).alias("end")))
    whole = pl.concat(frames).sort("start", "entity")
    rest = [pl.lit(None, pl.Float64).alias(one) for one in view.names if one not in whole.columns]
    return whole.with_columns(rest).select(*view.schema).cast(dict(view.schema))


def _spikes(name: str, count: int) -> dict[int, tuple[int, dict[str, float]]]:
    """Where something happens: index to entity and factors."""
    found: dict[int, tuple[int, dict[str, float]]] = {}
    if name == "system.service_1m":
        for back in range(1, 9):
            found[count - back] = (1, {"response_p95_max": 6.2, "queue_max": 9, "error_rate": 5.5})
    if name == "trades.symbol_1m":
        for back in (60, 61, 62):
            found[count - back] = (1, {"count": 3.4, "notional": 4.2, "volume": 4.1})
        found[count - 3] = (3, {"count": 9, "notional": 11, "volume": 12})
        found[count - 2] = (3, {"count": 8, "notional": 9, "volume": 9})
    if name == "orders.symbol_1m":
        for back in (97, 98, 99):
            found[count - back] = (0, {"orders_entered": 0.35})
    if name == "access.ip_1m":
        for back in range(20, 29):
            found[count - back] = (0, {"requests": 5, "login_tries": 60, "login_failures": 220})
        found[count - 4] = (2, {"login_failures": 40, "login_tries": 12})
    if name == "system.host_1m":
        for back in (40, 41):
            found[count - back] = (3, {"cpu_mean": 2.1, "cpu_max": 1.8})
    if name == "transactions.address_1m":
        for back in (80, 81, 82):
            found[count - back] = (1, {"success_rate": 0.93})
    return found


def _scores(windows: pl.DataFrame, levels: dict[str, tuple[float, float]]) -> pl.DataFrame:
    z = pl.max_horizontal(
        *(
            ((pl.col(n) - level) / (spread + 0.09 * level)).abs()
            for n, (level, spread) in levels.items()
        )
    )
    rate = 10.0 ** (3.4 - 1.35 * pl.col("z").clip(0, 7))
    return windows.select("entity", "start", "end", z.alias("z")).with_columns(
        score=pl.col("z"), p=rate / 1e4, per_day=rate, warm=pl.lit(True)
    )


def _why(
    name: str, windows: pl.DataFrame, scores: pl.DataFrame, levels: dict[str, tuple[float, float]]
) -> list[Explanation]:
    found = []
    units = {feature.name: feature.unit for feature in VIEWS[name].features}
    both = windows.join(scores.select("entity", "start", "per_day"), on=["entity", "start"])
    for row in both.filter(pl.col("per_day") < 1).iter_rows(named=True):
        distance = {
            one: abs(row[one] - level) / (spread + 0.09 * level)
            for one, (level, spread) in levels.items()
        }
        total = sum(distance.values())
        reasons = tuple(
            Reason(
                feature=one,
                unit=units[one],
                actual=row[one],
                expected=levels[one][0],
                z=part,
                share=part / total,
                side="above" if row[one] > levels[one][0] else "below",
                words=f"{one.replace('_', ' ')} {row[one]:.4g}, expected {levels[one][0]:.4g}",
                low=levels[one][0] * 0.7,
                high=levels[one][0] * 1.3,
            )
            for one, part in sorted(distance.items(), key=lambda pair: -pair[1])[:4]
        )
        arms = {"surge": 0.55, "isolation_forest": 0.27, "half_space_trees": 0.18}
        moment = row["entity"], row["start"], row["end"]
        found.append(Explanation(*moment, row["per_day"], arms, reasons, None))
    return found
