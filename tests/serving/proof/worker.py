"""A process that can be killed: it judges windows, tells people, and is started again.

``python -m tests.serving.proof.worker STORE WEB FIRST`` waits for a line on its input, the address
of the later channel, and says ``begun`` when it feeds the alert engine and empties the outbox. It
is started ahead of time, because that takes longer than it lives.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from time import monotonic

import polars as pl
import sqlalchemy as sa

from pipeline.database import open_engine, upsert
from serving.alerts.engine import AlertEngine
from serving.alerts.routes import Route, Wave
from serving.notify import outbox
from serving.notify.channels import http
from serving.notify.channels.catalogue import make_channels
from serving.rules.book import RuleBook
from serving.store.tables import memory
from tests.serving.alerts.alerting import HOST, PACK, NoCorrelations

HOSTS = 40
STEPS_PER_S = 5.0
SECRET = "proof-of-alerts"
FIRST = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=12)
ROUTES = [
    Route(
        name="all",
        waves=[
            Wave(channels=["pager", "hook"]),
            Wave(after="2s", channels=["late"]),  # type: ignore[arg-type]
        ],
    )
]


def value(host: int, age: int) -> float:
    """Memory of a host, in per cent: it climbs to a height of its own; some recover."""
    steps = [80.0, 88.0, 97.0][: 1 + host % 3]
    if age >= 30 and host % 2:
        return 50.0
    return steps[min(age // 8, len(steps) - 1)]


def windows(minute: int, first: datetime) -> pl.DataFrame:
    """The hosts of one minute: one new host each minute, each seen for 40."""
    start = first + timedelta(minutes=minute)
    end = start + timedelta(minutes=1)
    rows = [
        {"entity": f"h{h:05}", "start": start, "end": end, "memory_max": value(h, minute - h)}
        for h in range(max(0, minute - HOSTS + 1), minute + 1)
    ]
    return pl.DataFrame(rows, schema=dict(HOST.schema))


def alert_engine() -> AlertEngine:
    """One with one ladder, which tells three channels."""
    return AlertEngine(RuleBook([PACK]), NoCorrelations(), routes=ROUTES)


def step(
    connection: sa.Connection, alerts: AlertEngine, minute: int, first: datetime, now: datetime
) -> None:
    """Judge one minute and write down that it was."""
    found = windows(minute, first)
    scores = found.select("entity", "start", "end").with_columns(
        per_day=pl.lit(1e4), warm=pl.lit(True)
    )
    alerts.take(connection, HOST, found, scores, [], now=now)
    upsert(connection, memory, [{"part": "proof", "key": "minute", "state": {"next": minute + 1}}])


def next_minute(connection: sa.Connection) -> int:
    """What was judged so far ends here."""
    wanted = sa.select(memory.c.state).where(memory.c.part == "proof", memory.c.key == "minute")
    found = connection.execute(wanted).scalar_one_or_none()
    return int(found["next"]) if found else 0


def work(store: str, web: str, late: str, first: datetime) -> None:
    """Feed at 200 windows a second and send, until killed."""
    engine, stop = open_engine(store), threading.Event()
    secret = {"kind": "webhook", "secret": "${PROOF}"}
    given = {
        "pager": {"kind": "pagerduty", "routing_key": "${PROOF}", "url": f"{web}/pager"},
        "hook": {**secret, "url": f"{web}/hook"},
        "late": {**secret, "url": f"{late}/late"},
    }
    channels = make_channels(
        given, engine, pages="https://tocsin.example.com", clock=lambda: datetime.now(UTC)
    )
    box = outbox.Outbox(engine, channels, who=str(os.getpid()))
    arguments = (stop, lambda: datetime.now(UTC))
    threading.Thread(
        target=box.run, args=arguments, kwargs={"every": 0.05, "report": _say}, daemon=True
    ).start()
    alerts, due = alert_engine(), monotonic()
    print("begun", flush=True)
    while True:
        try:
            with engine.begin() as connection:
                step(connection, alerts, next_minute(connection), first, datetime.now(UTC))
        except sa.exc.DBAPIError as error:
            _say(f"step: {type(error).__name__}")
        due = max(due + 1 / STEPS_PER_S, monotonic())
        stop.wait(due - monotonic())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Work as soon as there is somebody to work for."""
    store, web, first = sys.argv[1:]
    # As in life, but with less patience: the proof is not to take hours.
    outbox.LEASE = timedelta(seconds=10)
    outbox.FIRST_WAIT, outbox.LONGEST_WAIT, outbox.MOST_ATTEMPTS = 0.05, 0.5, 1_000
    http.TIMEOUT_S = 0.3
    if line := sys.stdin.readline():
        work(store, web, line.strip(), datetime.fromisoformat(first))


if __name__ == "__main__":
    main()
