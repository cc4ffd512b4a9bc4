"""The world around the killed process: flaky channels that remember, a person who acknowledges."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import sqlalchemy as sa

from pipeline.database import open_engine, reading
from serving.alerts.acts import act
from serving.severity import Severity
from serving.store.tables import alerts, outbox
from tests.serving.notify.servers import Reply, Request, Web, refused_port
from tests.serving.proof.worker import FIRST, SECRET, next_minute

ROOT = Path(__file__).parents[3]
GRACE_S = 0.5
LEAST_MINUTES = 20


class Channels:
    """Channels that answer as channels do: 500, 429, late, not at all, and mostly well.

    They heed dedup keys: a repeat changes nothing.
    """

    def __init__(self, seed: int) -> None:
        self._random, self._lock = random.Random(seed), Lock()
        self.flaky = True
        self.opened: Counter[str] = Counter()  # incidents of the pager, by its dedup key
        self.taken: dict[str, dict[str, Any]] = {}  # messages of hooks, by idempotency key
        self.arrivals: list[tuple[datetime, str, str]] = []  # when, incident, severity
        self.faults: Counter[str] = Counter()
        self.web = Web()
        self.web.answer = self.answer

    def answer(self, request: Request) -> Reply:
        with self._lock:
            luck = self._random.random() if self.flaky else 1.0
            kept = self._random.random() < 0.5
            fault = next((f for limit, f in FAULTS if luck < limit), None)
            if fault is None or kept:
                self._take(request)
            if fault is None:
                return Reply(202)
            self.faults[fault.how if fault.how != "answer" else str(fault.status)] += 1
            return fault

    def _take(self, request: Request) -> None:
        told = request.json
        if request.path.startswith("/pager"):
            if told["event_action"] == "trigger":
                self.opened[told["dedup_key"]] |= 1
            return
        key = request.headers["idempotency-key"]
        known = self.taken.setdefault(key, told)
        assert known == told, "the same key says something else"
        if told["action"] == "trigger":
            self.arrivals.append((datetime.now(UTC), told["incident"], told["severity"]))


FAULTS = [
    (0.10, Reply(500)),
    (0.20, Reply(429, headers={"retry-after": "0"})),
    (0.24, Reply(how="hang")),
    (0.30, Reply(how="drop")),
]


class Person:
    """Acknowledges what fires, when nothing of it is being sent; remembers when."""

    def __init__(self, store: str, seed: int) -> None:
        self._engine, self._random = open_engine(store), random.Random(seed)
        self.acknowledged: dict[str, tuple[datetime, Severity]] = {}
        self._stop = Event()
        self._thread = Thread(target=self._live, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._engine.dispose()

    def _live(self) -> None:
        while not self._stop.wait(0.1):
            try:
                self._acknowledge()
            except sa.exc.DBAPIError:
                continue  # the database is being restarted

    def _acknowledge(self) -> None:
        now = datetime.now(UTC)
        with self._engine.begin() as connection:
            firing = sa.select(alerts.c.id, alerts.c.incident, alerts.c.severity).where(
                alerts.c.state == "firing"
            )
            found = connection.execute(firing.order_by(alerts.c.id)).all()
            if not found:
                return
            chosen = self._random.choice(found)
            # Waits for claims that are being made, and sees them then.
            mine = sa.select(outbox.c.leased_until).where(outbox.c.incident == chosen.incident)
            leases = connection.execute(mine.with_for_update()).scalars()
            if any(lease is not None and lease > now for lease in leases):
                return
            try:
                act(connection, [chosen.id], "acknowledge", who="ann", now=now)
            except ValueError:
                return  # it ended in between
            severity = connection.execute(
                sa.select(alerts.c.severity).where(alerts.c.id == chosen.id)
            ).scalar_one()
        self.acknowledged[chosen.incident] = (datetime.now(UTC), Severity(severity))


def kill_often(store: str, channels: Channels, kills: int, disturb: Callable[[int], None]) -> None:
    """Start the worker, kill it at a random instant, and so on; then let the last one finish."""
    luck, never = random.Random(kills), Event()
    nobody = f"http://127.0.0.1:{refused_port()}"
    with ExitStack() as all_of_them:
        spare = all_of_them.enter_context(_worker(store, channels))
        for number in range(kills):
            worker, spare = spare, all_of_them.enter_context(_worker(store, channels))
            # The later channel is not there at all in the first half.
            _begin(worker, nobody if number < kills / 2 else channels.web.url)
            disturb(number)
            never.wait(luck.uniform(0.05, 1.2))
            worker.kill()
        _begin(spare, channels.web.url)
        _drained(store, channels, never)


@contextmanager
def _worker(store: str, channels: Channels) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.serving.proof.worker", store, channels.web.url]
    with subprocess.Popen(
        [*command, FIRST.isoformat()],
        cwd=ROOT,
        env={**os.environ, "PROOF": SECRET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            yield worker
        finally:
            worker.kill()


def _begin(worker: subprocess.Popen[str], late: str) -> None:
    assert worker.stdin
    assert worker.stdout
    print(late, file=worker.stdin, flush=True)
    assert worker.stdout.readline() == "begun\n"


def _drained(store: str, channels: Channels, never: Event) -> None:
    """Return when enough was judged and all that was told until now is settled."""
    engine = open_engine(store)
    begun = datetime.now(UTC)
    try:
        for _ in range(600):
            waiting = sa.select(sa.func.count()).where(
                outbox.c.state == "pending", outbox.c.created_at < begun
            )
            with reading(engine) as connection:
                left = connection.execute(waiting).scalar_one()
                enough = next_minute(connection) >= LEAST_MINUTES
            channels.flaky = channels.flaky and not enough
            if enough and not left:
                return
            never.wait(0.2)
    finally:
        engine.dispose()
    raise AssertionError("the outbox is not emptied")
