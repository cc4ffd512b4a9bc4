"""A file system of a host: how full it is, when it will be full, and how busy its disk is."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.stream import Column, Stream
from features.system.samples import (
    SHARED,
    change,
    counter,
    increases,
    moment,
    part_of,
    per_second,
    percent,
    ratio,
)
from features.view import FeatureView, collect, derived, feature

__all__ = ["DISK", "DISK_1M"]

COUNTERS = (
    counter("read_bytes", "Bytes read from the disk.", "B"),
    counter("written_bytes", "Bytes written to the disk.", "B"),
    counter("operations", "Reads and writes done.", "operations"),
    counter("operation_ms", "Time that reads and writes took, added up.", "ms"),
    counter("busy_ms", "Time in which the disk was not idle.", "ms"),
)
DISK = Stream(
    "disk",
    (
        *moment(
            Column("host", pl.String(), "Name of the host."),
            Column("mount", pl.String(), "Where the file system is mounted."),
        ),
        percent("used", "Space in use, of what users may use."),
        percent("inodes", "File entries in use."),
        *COUNTERS,
    ),
    key=("host", "mount", "id"),
)


@derived
def used_change(used: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Space in use less that of the previous sample, in percentage points."""
    return change(used, first_of_entity)


@derived
def elapsed_ms(elapsed: pl.Expr) -> pl.Expr:
    """Milliseconds since the previous sample; null for the first."""
    return 1000 * elapsed


@feature(unit="%", direction="high", source="HM-DSK, AR-M3")
def used_last(used: pl.Expr) -> pl.Expr:
    """Space in use, last known value."""
    return used.drop_nulls().last()


@feature(unit="%/h", direction="high", source="HM-DSK")
def fill_rate(used_change: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Percentage points of space that came into use in an hour."""
    return 3600 * ratio(used_change, elapsed)


@feature(unit="h", direction="low", scale="ratio", source="HM-DSK, PA-H2")
def time_to_full(used: pl.Expr, used_change: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Hours until no space is left at this window's `fill_rate`; null unless it is above 0."""
    pace = 3600 * ratio(used_change, elapsed)
    return pl.when(pace > 0).then((100 - used.drop_nulls().last()) / pace)


@feature(unit="%", direction="high", source="HM-DSK")
def inodes_last(inodes: pl.Expr) -> pl.Expr:
    """File entries in use, last known value: a disk without a free one is full."""
    return inodes.drop_nulls().last()


@feature(unit="B/s", direction="high", scale="ratio", source="PA-H3")
def read_rate(read_bytes_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Bytes read in a second."""
    return per_second(read_bytes_increase, elapsed)


@feature(unit="B/s", direction="high", scale="ratio", source="PA-H3")
def write_rate(written_bytes_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Bytes written in a second."""
    return per_second(written_bytes_increase, elapsed)


@feature(unit="operations/s", direction="high", scale="ratio", source="PA-H3")
def operation_rate(operations_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Reads and writes in a second."""
    return per_second(operations_increase, elapsed)


@feature(unit="ms", direction="high", scale="ratio", source="PA-H3")
def operation_time(operation_ms_increase: pl.Expr, operations_increase: pl.Expr) -> pl.Expr:
    """Mean time that a read or a write took; null without one."""
    return ratio(operation_ms_increase, operations_increase)


@feature(unit="%", direction="high", source="PA-H3")
def busy_share(busy_ms_increase: pl.Expr, elapsed_ms: pl.Expr) -> pl.Expr:
    """Share of the time in which the disk was not idle."""
    return part_of(busy_ms_increase, elapsed_ms)


DISK_1M = FeatureView(
    "system.disk_1m",
    DISK,
    ("host", "mount"),
    timedelta(minutes=1),
    (*SHARED, *increases(COUNTERS), *collect(__name__)),
    lateness=timedelta(seconds=60),
    retention=timedelta(days=90),
)
