"""Measurements for Prometheus: of requests as they happen, of everything else when asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from pipeline.database import reading
from pipeline.stream.tables import FAULTS, METADATA, SOURCES, VIEWS
from serving.api.shared import House
from serving.auth import Viewer
from serving.store.tables import alerts, incidents, outbox, runs

__all__ = ["Meters", "router"]

router = APIRouter(tags=["operation"])
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


class Meters:
    """Counters of one process in a registry of its own.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        Asked for alerts, incidents, messages, runs and the stream's counts at each scrape.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.registry = CollectorRegistry()
        labels = ["method", "route"]
        self._requests = Counter(
            "tocsin_requests_total", "Requests.", [*labels, "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "tocsin_request_seconds",
            "Time to answer.",
            labels,
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.windows = Counter(
            "tocsin_windows_scored_total", "Windows scored for requests.", registry=self.registry
        )
        self.events = Counter(
            "tocsin_events_pushed_total",
            "Events pushed.",
            ["stream", "outcome"],
            registry=self.registry,
        )
        self.registry.register(_Store(engine))
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def took(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request; its route is its template, so that labels stay few."""
        route = getattr(scope.get("route"), "path", "none")
        key = (_method(scope), route, status)
        if key not in self._known:
            requests = self._requests.labels(*key[:2], str(status))
            self._known[key] = requests, self._seconds.labels(*key[:2])
        requests, histogram = self._known[key]
        requests.inc()
        histogram.observe(seconds)


class _Store(Collector):
    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing: the store is not asked before it is scraped."""
        return []

    def collect(self) -> Iterator[Metric]:
        """How many there are in each state."""
        asked = {
            "alerts": (alerts.c.state, alerts.c.severity),
            "incidents": (incidents.c.state, incidents.c.severity),
            "messages": (outbox.c.state, outbox.c.channel),
            "playbook_runs": (runs.c.state, runs.c.playbook),
        }
        with reading(self._engine) as connection:
            for name, columns in asked.items():
                gauge = GaugeMetricFamily(
                    f"tocsin_{name}", f"{name} by state", labels=[c.name for c in columns]
                )
                counted = sa.select(*columns, sa.func.count()).group_by(*columns)
                for *labels, count in connection.execute(counted):
                    gauge.add_metric(labels, count)
                yield gauge
            # The stream makes its tables when it first runs.
            if all(map(sa.inspect(connection).has_table, METADATA.tables)):
                yield from _stream(connection)


def _stream(connection: sa.Connection) -> Iterator[Metric]:
    """What `tocsin doctor` tells of sources and views: rows by outcome, failures, newest event.

    Late is told of views, each of which closes its windows in its own time.
    """
    s, v = SOURCES.c, VIEWS.c
    accepted = (s.given - s.refused - s.future).label("accepted")
    counted = {
        "source": sa.select(s.loop, s.source, accepted, s.refused, s.future),
        "view": sa.select(v.loop, v.view, v.accepted, v.late),
    }
    for what, asked in counted.items():
        labels = ["loop", what, "outcome"]
        name = f"tocsin_{what}_rows"
        rows = CounterMetricFamily(name, f"Rows of each {what} by outcome.", labels=labels)
        for loop, one, *counts in connection.execute(asked):
            for column, count in zip(asked.selected_columns.keys()[2:], counts, strict=True):
                rows.add_metric([loop, one, column], count)
        yield rows
    newest = {
        "source_newest_event": sa.select(s.loop, s.source, s.newest),
        "view_closed_until": sa.select(v.loop, v.view, v.closed_until),
    }
    for what, asked in newest.items():
        labels, name = ["loop", what.split("_")[0]], f"tocsin_{what}_timestamp_seconds"
        times = GaugeMetricFamily(name, "Event time; now less this is the lag.", labels=labels)
        for loop, one, at in connection.execute(asked):
            if at is not None:
                times.add_metric([loop, one], at.timestamp())
        yield times
    name, labels = "tocsin_source_failures", ["loop", "source"]
    failures = GaugeMetricFamily(name, "Failures in a row of sources that fail.", labels=labels)
    for *labels, count in connection.execute(
        sa.select(FAULTS.c.loop, FAULTS.c.source, FAULTS.c.failures)
    ):
        failures.add_metric(labels, count)
    yield failures


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(house: House, who: Viewer) -> Response:
    """Measurements in Prometheus' text format."""
    text = generate_latest(house.meters.registry)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"
