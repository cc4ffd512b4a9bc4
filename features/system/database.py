"""A database: query time, use of indexes, use of the connection pool, hits of the cache."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.stream import Column, Stream
from features.system.samples import (
    SHARED,
    counter,
    gauge,
    increases,
    moment,
    part_of,
    per_second,
    ratio,
)
from features.view import FeatureView, collect, derived, feature

__all__ = ["DATABASE", "DATABASE_1M"]

COUNTERS = (
    counter("queries", "Queries done.", "queries"),
    counter("query_ms", "Time of all queries, added up.", "ms"),
    counter("slow_queries", "Queries that took longer than the database's own limit.", "queries"),
    counter("index_scans", "Scans that used an index.", "scans"),
    counter("table_scans", "Scans that read a whole table.", "scans"),
    counter("rows_read", "Rows that queries looked at.", "rows"),
    counter("rows_returned", "Rows that queries gave back.", "rows"),
    counter("cache_hits", "Blocks found in memory.", "blocks"),
    counter("cache_misses", "Blocks read from disk.", "blocks"),
    counter("deadlocks", "Transactions ended because each waited for the other.", "deadlocks"),
)
DATABASE = Stream(
    "database",
    (
        *moment(Column("database", pl.String(), "Name of the database.")),
        gauge("query_p95", "95 % of queries took no longer than this.", "ms"),
        gauge("pool_used", "Connections in use.", "connections"),
        gauge("pool_size", "Connections the pool may hold.", "connections"),
        gauge("pool_waiting", "Clients that wait for a connection.", "clients"),
        gauge("lock_waits", "Sessions that wait for a lock.", "sessions"),
        gauge("replication_lag", "How far the replica is behind.", "s"),
        *COUNTERS,
    ),
    key=("database", "id"),
)


@derived
def scans_increase(index_scans_increase: pl.Expr, table_scans_increase: pl.Expr) -> pl.Expr:
    """Scans of either kind since the previous sample."""
    return index_scans_increase + table_scans_increase


@derived
def blocks_increase(cache_hits_increase: pl.Expr, cache_misses_increase: pl.Expr) -> pl.Expr:
    """Blocks asked for since the previous sample."""
    return cache_hits_increase + cache_misses_increase


@derived
def pool_use(pool_used: pl.Expr, pool_size: pl.Expr) -> pl.Expr:
    """Connections in use over those the pool may hold, in percent; null for an empty pool."""
    return pl.when(pool_size > 0).then(100 * pool_used / pool_size)


@feature(unit="queries/s", direction="both", scale="ratio", source="PA-D1")
def query_rate(queries_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Queries in a second."""
    return per_second(queries_increase, elapsed)


@feature(unit="ms", direction="high", scale="ratio", source="PA-D1")
def query_time_mean(query_ms_increase: pl.Expr, queries_increase: pl.Expr) -> pl.Expr:
    """Mean time of a query; null without queries."""
    return ratio(query_ms_increase, queries_increase)


@feature(unit="ms", direction="high", scale="ratio", source="PA-D1")
def query_p95_max(query_p95: pl.Expr) -> pl.Expr:
    """Highest 95th percentile of the query time of a sample."""
    return query_p95.max()


@feature(unit="%", direction="high", source="PA-D1")
def slow_query_share(slow_queries_increase: pl.Expr, queries_increase: pl.Expr) -> pl.Expr:
    """Share of the queries that were slow; null without queries."""
    return part_of(slow_queries_increase, queries_increase)


@feature(unit="%", direction="low", source="PA-D2")
def index_use(index_scans_increase: pl.Expr, scans_increase: pl.Expr) -> pl.Expr:
    """Share of the scans that used an index; null without scans."""
    return part_of(index_scans_increase, scans_increase)


@feature(unit="rows", direction="high", scale="ratio", source="PA-D2")
def rows_read_each(rows_read_increase: pl.Expr, rows_returned_increase: pl.Expr) -> pl.Expr:
    """Rows looked at for each row given back: many where an index is missing."""
    return ratio(rows_read_increase, rows_returned_increase)


@feature(unit="%", direction="high", source="PA-D3")
def pool_use_mean(pool_use: pl.Expr) -> pl.Expr:
    """Mean share of the connection pool in use."""
    return pool_use.mean()


@feature(unit="%", direction="high", source="PA-D3")
def pool_use_max(pool_use: pl.Expr) -> pl.Expr:
    """Highest share of the connection pool in use of a sample."""
    return pool_use.max()


@feature(unit="clients", direction="high", source="PA-D3")
def pool_waiting_max(pool_waiting: pl.Expr) -> pl.Expr:
    """Most clients that waited for a connection in a sample."""
    return pool_waiting.max()


@feature(unit="%", direction="low", source="PA-D4")
def cache_hit_ratio(cache_hits_increase: pl.Expr, blocks_increase: pl.Expr) -> pl.Expr:
    """Share of the blocks found in memory; null where none was asked for."""
    return part_of(cache_hits_increase, blocks_increase)


@feature(unit="sessions", direction="high", source="PA-D1")
def lock_waits_max(lock_waits: pl.Expr) -> pl.Expr:
    """Most sessions that waited for a lock in a sample."""
    return lock_waits.max()


@feature(unit="deadlocks", direction="high", source="PA-D1")
def deadlocks_new(deadlocks_increase: pl.Expr) -> pl.Expr:
    """Deadlocks since the sample before the window."""
    return pl.when(deadlocks_increase.count() > 0).then(deadlocks_increase.sum())


@feature(unit="s", direction="high", source="PA-D1")
def replication_lag_max(replication_lag: pl.Expr) -> pl.Expr:
    """Furthest that the replica was behind in a sample."""
    return replication_lag.max()


DATABASE_1M = FeatureView(
    "system.database_1m",
    DATABASE,
    ("database",),
    timedelta(minutes=1),
    (*SHARED, *increases(COUNTERS), *collect(__name__)),
    lateness=timedelta(seconds=30),
)
