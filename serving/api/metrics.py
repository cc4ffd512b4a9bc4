"""Measurements for Prometheus: of requests as they happen, of everything else when asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from pipeline.database import reading
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
        Asked for alerts, incidents, messages and runs at each scrape.
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


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(house: House, who: Viewer) -> Response:
    """Measurements in Prometheus' text format."""
    text = generate_latest(house.meters.registry)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _method(scope: Scope) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return scope["method"] if scope["method"] in known else "other"
