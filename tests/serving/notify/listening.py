"""Channels that keep what they are given, and an outbox to feed them from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import sqlalchemy as sa

from serving.alerts.acts import act
from serving.notify.channel import Delivery
from serving.notify.notice import Action, Notice, enqueue
from serving.notify.outbox import Outbox
from serving.store.tables import alerts, outbox
from tests.serving.alerts.alerting import Bench
from tests.serving.notify.telling import NOON, notice

SENT = Delivery("sent")
HIGH = ("pagerduty", "sms", "chat", "email", "ticket", "status_page")
SECOND = timedelta(seconds=1)


class Listed:
    """A channel that keeps what it is given; ``answer`` says what becomes of it."""

    def __init__(
        self,
        name: str,
        answer: Callable[[Notice], Delivery] = lambda notice: SENT,
        *,
        actions: frozenset[Action] = frozenset({"trigger", "acknowledge", "resolve", "notice"}),
    ) -> None:
        self.name, self.answer, self.actions = name, answer, actions
        self.got: list[Notice] = []
        self._lock = Lock()

    def send(self, notice: Notice) -> Delivery:
        with self._lock:
            self.got.append(notice)
        return self.answer(notice)


def put(engine: sa.Engine, *notices: Notice, now: datetime = NOON) -> None:
    with engine.begin() as connection:
        enqueue(connection, notices, now=now)


def rows(engine: sa.Engine) -> dict[str, dict[str, Any]]:
    with engine.connect() as connection:
        found = connection.execute(sa.select(outbox)).mappings()
        return {row["dedup_key"]: dict(row) for row in found}


def words(number: int, **changed: Any) -> Notice:
    return notice("notice", dedup_key=f"n{number}", **changed)


def on(bench: Bench, *channels: Listed, **more: Any) -> Outbox:
    return Outbox(bench.engine, channels, who="one", **more)


def fire(bench: Bench, value: float = 86.0) -> str:
    """A high alert that is told; the id of its alert."""
    bench.minute({"a": value})
    bench.minute({"a": value})
    return str(bench.rows(alerts)[0]["id"])


def do(bench: Bench, alert: str, what: Any, **detail: Any) -> None:
    with bench.engine.begin() as connection:
        act(connection, [alert], what, who="ann", now=bench.now, detail=detail)
