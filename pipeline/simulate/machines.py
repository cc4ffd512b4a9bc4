"""Hosts, services, a database and networks whose samples answer to the load.

Requests come to the API, which asks the database through a pool of connections; what does not
fit waits. A slow query therefore fills the pool, then the queue, then the response time, then
the errors, as in an operations textbook (Little's law, utilisation law).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from features.stream import Stream
from features.system import DATABASE, DISK, HOST, NETWORK, SERVICE
from pipeline.simulate.flow import SECOND, season

__all__ = ["CADENCE", "Machines", "Strain"]

CADENCE = 30 * SECOND
HOSTS = ("web-1", "web-2", "engine-1", "db-1")
STREAMS = {s.name: s for s in (HOST, DISK, NETWORK, SERVICE, DATABASE)}
UNLOGGED = 250.0
"""Requests a second at a normal time that the access log leaves out: health, market data."""
WORKERS, POOL = 600.0, 40.0
QUERY_MS, QUERIES = 5.0, 3.0
"""Time of a query, and queries of a request, at normal times."""
RESPONSE_MS = 70.0
ENGINE = 4_000.0
"""Messages a second that the engine can match."""
DAY = 86_400 * SECOND

Row = dict[str, Any]


@dataclass(frozen=True)
class Strain:
    """What weighs on the machines from one time until another, microseconds.

    ``kind`` is ``slow_query`` (times the query time), ``leak`` (share of the memory of web-1 an
    hour), ``traffic`` (times the requests), ``restart`` (of the API, once at ``start``) or
    ``blind`` (no samples of the entity). A size is reached in a straight line over ``ramp``.
    """

    kind: str
    start: int
    end: int
    size: float = 0.0
    ramp: int = 0
    entity: str = ""

    def level(self, at: int) -> float:
        """How much of it there is: 0 to 1."""
        if not self.start <= at < self.end:
            return 0.0
        return min((at - self.start) / self.ramp, 1.0) if self.ramp else 1.0


class Machines:
    """The platform's machines, sampled every 30 s; disks every 60 s."""

    def __init__(self) -> None:
        self.strains: list[Strain] = []
        self.response = RESPONSE_MS
        """95 % of requests are answered within this time now, ms."""
        self.errors = 0.001
        """Share of the requests that fail now."""
        self._queue = 0.0
        self._leaked = 0.0
        self._totals: dict[tuple[str, str], float] = {}
        self._rows: dict[str, list[tuple[int, Row]]] = {name: [] for name in STREAMS}
        self._count = 0

    def factor(self, kind: str, at: int) -> float:
        """Product of what strains of a kind multiply by."""
        parts = [1 + (s.size - 1) * s.level(at) for s in self.strains if s.kind == kind]
        return float(np.prod(parts)) if parts else 1.0

    def sample(self, at: int, requests: int, messages: int, rng: np.random.Generator) -> None:
        """Live through the 30 s up to a time, and take the samples at its end.

        Parameters
        ----------
        requests, messages : int
            Requests in the access log and messages to the engine in these 30 s.
        """
        seconds = CADENCE / SECOND
        noise = np.exp(rng.normal(0, 0.06, 16))
        rate = requests / seconds * self.factor("traffic", at)
        rate += UNLOGGED * season(at) * self.factor("traffic", at) * noise[0]
        database = self._database(at, rate, noise, rng)
        api = self._api(at, rate, database["query_p95"], database["pool_waiting"], noise, rng)
        engine = messages / seconds
        use = min(100 * engine / ENGINE * noise[4], 100.0)
        matching = {
            "up": True, "matching_p95": (0.4 + 2 * use / (105 - use)) * noise[5],
            "execution_p95": 25 * noise[6], "response_p95": 3 * noise[7], "queue": use // 10,
            "utilisation": use, "requests": messages, "errors": 0.0,
            "processing_ms": messages * 0.15 * noise[5],
        }  # fmt: skip
        self._tell("service", "api", at, api)
        self._tell("service", "matching", at, matching)
        self._tell("database", "main", at, database)
        self._hosts(at, rate, engine, database, rng)

    def _database(self, at: int, rate: float, noise: Any, rng: np.random.Generator) -> Row:
        slow = self.factor("slow_query", at)
        queries = QUERIES * rate
        # One kind of query is slow: it is dear, but most queries are as fast as ever.
        mean = QUERY_MS * noise[1] * slow
        wanted = queries * mean / 1_000
        waiting = max(wanted - 0.9 * POOL, 0.0) * 4
        hits = 0.992 - 0.06 * min(slow - 1, 3) / 3
        blocks = queries * 30 * 12
        seconds = CADENCE / SECOND
        return {
            "query_p95": 3.5 * mean,
            "pool_used": POOL if waiting else float(np.rint(min(wanted * noise[2], POOL))),
            "pool_size": POOL,
            "pool_waiting": float(np.rint(waiting)),
            "lock_waits": float(rng.poisson(0.2 + 3 * max(slow - 1, 0))),
            "replication_lag": 0.2 * noise[3] * slow,
            "queries": queries * seconds,
            "query_ms": queries * seconds * mean,
            "slow_queries": float(rng.poisson(queries * seconds * min(2e-5 * slow**3, 0.3))),
            "index_scans": queries * seconds * 0.97,
            "table_scans": queries * seconds * 0.0005 * slow,
            "rows_read": queries * seconds * 20 * slow,
            "rows_returned": queries * seconds * 15,
            "cache_hits": blocks * hits,
            "cache_misses": blocks * (1 - hits),
            "deadlocks": float(rng.random() < 0.002 * slow),
        }  # fmt: skip

    def _api(
        self, at: int, rate: float, query: float, waiting: float, noise: Any,
        rng: np.random.Generator,
    ) -> Row:  # fmt: skip
        seconds = CADENCE / SECOND
        restarts = [s for s in self.strains if s.kind == "restart" and s.start <= at < s.end]
        held = rate * (QUERIES * query / 3.5 + RESPONSE_MS / 3) / 1_000
        use = min(100 * held / WORKERS * 12, 100.0)
        # Who waits for a connection waits in front of the service too.
        self._queue += (4 * waiting + 2 * rng.poisson(1) - self._queue) * 0.5
        self.response = RESPONSE_MS * noise[8] + 1.3 * query + 0.45 * self._queue
        late = max(self.response - 450, 0) / 1_000
        self.errors = min(0.0008 * noise[9] + 0.03 * late, 0.5)
        if restarts:
            self._queue += 40
            self.errors = max(self.errors, 0.02)
            self._restart("api")
        return {
            "up": not restarts,
            "response_p95": self.response,
            "queue": float(np.rint(self._queue)),
            "utilisation": use,
            "requests": float(np.rint(rate * seconds)),
            "errors": float(rng.poisson(rate * seconds * self.errors)),
            "processing_ms": rate * seconds * self.response / 3,
        }

    def _hosts(
        self, at: int, rate: float, engine: float, database: Row, rng: np.random.Generator
    ) -> None:
        hours = CADENCE / (3_600 * SECOND)
        leaks = [s for s in self.strains if s.kind == "leak" and s.start <= at < s.end]
        self._leaked = self._leaked + sum(s.size * hours for s in leaks) if leaks else 0.0
        pool = database["pool_used"] / POOL
        cpu = {
            "web-1": 8 + rate / 14, "web-2": 8 + rate / 14,
            "engine-1": 12 + engine / 25, "db-1": 10 + 55 * pool,
        }  # fmt: skip
        memory = {"web-1": 58 + 100 * self._leaked, "web-2": 58, "engine-1": 47, "db-1": 66}
        for name in HOSTS:
            noise = np.exp(rng.normal(0, 0.05, 12))
            busy = float(np.clip(cpu[name] * noise[0], 0, 100))
            self._tell("host", name, at, {
                "cpu": busy,
                "cpu_wait": (0.4 + 6 * pool**4 * (name == "db-1")) * noise[1],
                "cpu_steal": 0.05 * noise[2],
                "load": busy / 60 * noise[3],
                "memory": float(np.clip(memory[name] + rng.normal(0, 0.4), 0, 99)),
                "swap": max(memory[name] - 90, 0.0),
                "processes": float(180 + rng.poisson(3)),
                "latency": 0.8 * noise[4],
                "context_switches": (4_000 + 250 * busy) * 30 * noise[5],
            })  # fmt: skip
            packets = (rate if name.startswith("web") else engine + rate / 2) * 30 * 14 * noise[6]
            self._tell("network", name, at, {
                "speed": 1.25e8,
                "established": np.rint(60 + rate * 0.8 * noise[7]),
                "half_open": float(rng.poisson(1)),
                "closing": np.rint(rate * 0.3 * noise[8]),
                "abandoned": float(rng.poisson(0.5)),
                "received_bytes": packets * 300, "sent_bytes": packets * 900,
                "packets": packets, "dropped": float(rng.poisson(packets * 2e-6)),
                "damaged": float(rng.poisson(packets * 1e-7)), "segments": packets * 0.9,
                "retransmitted": float(rng.poisson(packets * 1e-4)),
            })  # fmt: skip
            if at // CADENCE % 2 == 0:
                continue
            written = (2e5 + 3_000 * (engine + rate)) * 60 * noise[9]
            self._tell("disk", name, at, {
                "used": 41 + 6 * (at % (7 * DAY)) / (7 * DAY), "inodes": 9.0,
                "read_bytes": written * (0.2 + 2 * database["table_scans"] / database["queries"]),
                "written_bytes": written, "operations": written / 9_000,
                "operation_ms": written / 9_000 * 0.6 * noise[10],
                "busy_ms": min(written / 9_000 * 0.4, 59_000.0) * noise[11] ** 0.5,
            })  # fmt: skip

    def _restart(self, entity: str) -> None:
        """Its counters begin again at zero."""
        for key in self._totals:
            if key[0] == entity:
                self._totals[key] = 0.0

    def _tell(self, stream: str, entity: str, at: int, values: Row) -> None:
        """One sample: gauges as they are, counters added up."""
        row: Row = {}
        for column in STREAMS[stream].columns:
            name = column.name
            if name in values:
                row[name] = values[name]
                if "A total since the start" in column.doc:
                    key = entity, f"{stream}.{name}"
                    self._totals[key] = self._totals.get(key, 0.0) + float(values[name])
                    row[name] = self._totals[key]
        blind = any(
            s.kind == "blind" and s.entity == entity and s.level(at) > 0 for s in self.strains
        )
        if not blind:
            names = {"host": entity, "service": entity, "database": entity}
            row |= {"ts": at, "id": self._count, "mount": "/", "interface": "eth0"} | names
            self._rows[stream].append((at, row))
            self._count += 1

    def take(self, until: int) -> dict[str, pl.DataFrame]:
        """Samples before a time, a frame for each stream."""
        frames = {}
        for name, stream in STREAMS.items():
            rows = self._rows[name]
            frames[name] = _frame(stream, [row for at, row in rows if at < until])
            self._rows[name] = [(at, row) for at, row in rows if at >= until]
        return frames


def _frame(stream: Stream, rows: list[Row]) -> pl.DataFrame:
    wanted = {c.name: pl.Int64() if c.name == "ts" else c.type for c in stream.columns}
    frame = pl.DataFrame(rows, schema=wanted)
    floats = [name for name, kind in wanted.items() if kind.is_float()]
    return frame.with_columns(
        pl.col("ts").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), pl.col(floats).round(4)
    )
