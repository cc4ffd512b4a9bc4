"""A service, such as the matching engine: how much it does, how fast, how well, what waits."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.stream import Column, Stream
from features.system.samples import (
    SHARED,
    change,
    counter,
    gauge,
    increases,
    moment,
    part_of,
    peak_per_second,
    per_second,
    percent,
    ratio,
)
from features.view import FeatureView, collect, derived, feature

__all__ = ["SERVICE", "SERVICE_1M"]

COUNTERS = (
    counter("requests", "Requests or orders answered, with or without success.", "requests"),
    counter("errors", "Requests or orders that failed.", "requests"),
    counter("processing_ms", "Processing time of all requests, added up.", "ms"),
)
SERVICE = Stream(
    "service",
    (
        *moment(Column("service", pl.String(), "Name of the service, one for each instance.")),
        Column("up", pl.Boolean(), "Whether it answered its health check.", required=False),
        gauge("response_p95", "95 % of requests were answered within this time.", "ms"),
        gauge("execution_p95", "95 % of orders were executed within this time.", "ms"),
        gauge("matching_p95", "95 % of orders were matched within this time.", "ms"),
        gauge("queue", "Requests or orders that wait.", "requests"),
        percent("utilisation", "Workers, or processing time, in use."),
        *COUNTERS,
    ),
    key=("service", "id"),
)


@derived
def queue_change(queue: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Queue less that of the previous sample."""
    return change(queue, first_of_entity)


@feature(unit="%", direction="low", source="AR-H1")
def availability(up: pl.Expr) -> pl.Expr:
    """Share of the health checks that the service answered."""
    return 100 * up.mean()


@feature(unit="requests", direction="both", scale="ratio", source="AR-H3")
def answered(requests_increase: pl.Expr) -> pl.Expr:
    """Requests answered since the sample before the window: the sample size of `error_rate`."""
    return pl.when(requests_increase.count() > 0).then(requests_increase.sum())


@feature(unit="requests/s", direction="both", scale="ratio", source="TE-1, PA-T3")
def throughput(requests_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Requests answered in a second."""
    return per_second(requests_increase, elapsed)


@feature(unit="requests/s", direction="high", scale="ratio", source="TE-1, PA-T3")
def throughput_peak(requests_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Highest throughput between two samples."""
    return peak_per_second(requests_increase, elapsed)


@feature(unit="ms", direction="high", scale="ratio", source="TE-2")
def processing_mean(processing_ms_increase: pl.Expr, requests_increase: pl.Expr) -> pl.Expr:
    """Mean processing time of a request; null without requests."""
    return ratio(processing_ms_increase, requests_increase)


@feature(unit="ms", direction="high", scale="ratio", source="TE-2, PF-D1, AR-H2")
def response_p95_max(response_p95: pl.Expr) -> pl.Expr:
    """Highest 95th percentile of the response time of a sample."""
    return response_p95.max()


@feature(unit="ms", direction="high", scale="ratio", source="PA-T1")
def execution_p95_max(execution_p95: pl.Expr) -> pl.Expr:
    """Highest 95th percentile of the order execution time of a sample."""
    return execution_p95.max()


@feature(unit="ms", direction="high", scale="ratio", source="PA-T2")
def matching_p95_max(matching_p95: pl.Expr) -> pl.Expr:
    """Highest 95th percentile of the matching latency of a sample."""
    return matching_p95.max()


@feature(unit="%", direction="high", source="TE-3, PF-D2, AR-H3")
def error_rate(errors_increase: pl.Expr, requests_increase: pl.Expr) -> pl.Expr:
    """Share of the requests that failed; null without requests."""
    return part_of(errors_increase, requests_increase)


@feature(unit="requests", direction="high", source="TE-4")
def queue_mean(queue: pl.Expr) -> pl.Expr:
    """Mean queue depth of the samples."""
    return queue.mean()


@feature(unit="requests", direction="high", source="TE-4, PF-D3")
def queue_max(queue: pl.Expr) -> pl.Expr:
    """Greatest queue depth of a sample."""
    return queue.max()


@feature(unit="requests/s", direction="high", source="TE-4")
def queue_growth(queue_change: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Requests by which the queue grew in a second; below 0 while it drains."""
    return ratio(queue_change, elapsed)


@feature(unit="%", direction="high", source="PA-T4")
def utilisation_max(utilisation: pl.Expr) -> pl.Expr:
    """Highest utilisation of a sample; 100 less this is the headroom."""
    return utilisation.max()


@feature(
    unit="requests/s",
    direction="low",
    scale="ratio",
    source="PA-T4; utilisation law, Denning & Buzen 1978",
)
def capacity(requests_increase: pl.Expr, elapsed: pl.Expr, utilisation: pl.Expr) -> pl.Expr:
    """Throughput at which utilisation would reach 100 %, were each request as dear as now.

    Throughput over mean utilisation; null where the service was idle.
    """
    used = utilisation.mean()
    return pl.when(used > 0).then(100 * per_second(requests_increase, elapsed) / used)


SERVICE_1M = FeatureView(
    "system.service_1m",
    SERVICE,
    ("service",),
    timedelta(minutes=1),
    (*SHARED, *increases(COUNTERS), *collect(__name__)),
    lateness=timedelta(seconds=30),
)
