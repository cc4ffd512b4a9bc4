"""A house over a store, its application, and somebody of each role who calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import sqlalchemy as sa
from anyio.from_thread import BlockingPortal, start_blocking_portal

from features.catalogue import STREAMS, VIEWS
from pipeline.config import Config
from serving.alerts.engine import AlertEngine
from serving.api.app import make_app
from serving.house import House
from serving.rules.book import RuleBook
from serving.store.keys import Role, make_key
from serving.store.users import set_user
from tests.serving.alerts.alerting import PACK, NoCorrelations

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOST = VIEWS["system.host_1m"]
PASSWORD = "correct horse battery"


class Caller:
    """Calls the application; the clock stands still until it is moved."""

    def __init__(self, home: Path, url: str, portal: BlockingPortal) -> None:
        self.now = NOON
        sources = tuple({"kind": "push", "name": f"push.{s}", "stream": s} for s in STREAMS)
        config = Config(home=home, store=url, sources=sources)
        self.house = House.open(config, clock=lambda: self.now)
        self.app = make_app(self.house)
        self.keys = {role: self.key(role) for role in Role}
        self.portal = portal

    def key(self, role: Role, **more: Any) -> str:
        """A key of a role."""
        given = {"per_minute": 10_000_000, **more}
        with self.house.engine.begin() as connection:
            return make_key(connection, role.value, role, who="test", now=self.now, **given)

    def __call__(
        self,
        method: str,
        path: str,
        *,
        role: Role | None = Role.ADMIN,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Any:
        """The answer to somebody of a role; None is nobody."""
        given = dict(headers or {})
        if role is not None:
            given.setdefault("Authorization", f"Bearer {self.keys[role]}")
        return self.portal.call(self._asked, method, path, given, more)

    async def _asked(self, method: str, path: str, headers: Any, more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as http:
            return await http.request(method, path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> Any:
        """The body of an answer that is a success."""
        answer = self("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, given: Any = None, **more: Any) -> Any:
        """The body of an answer that is a success."""
        answer = self("POST", path, json=given, **more)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def person(self, name: str, role: Role) -> tuple[str, str]:
        """Somebody signed in: the cookie and the token for changes."""
        with self.house.engine.begin() as connection:
            set_user(connection, name, PASSWORD, role, who="test", now=self.now)
        given = {"name": name, "password": PASSWORD}
        answer = self("POST", "/v1/session", role=None, json=given)
        assert answer.status_code == 200, answer.text
        return answer.cookies["tocsin_session"], answer.json()["csrf"]

    def fire(self, hosts: Mapping[str, float], minutes: int = 2, **engine: Any) -> None:
        """Minutes in which hosts use so much memory, judged by an alert engine."""
        alerts = AlertEngine(RuleBook([PACK]), NoCorrelations(), **engine)
        for _ in range(minutes):
            rows: Sequence[dict[str, Any]] = [
                {"entity": name, "start": self.now, "memory_max": value}
                for name, value in sorted(hosts.items())
            ]
            self.now += timedelta(minutes=1)
            whole = [{**row, "end": self.now} for row in rows]
            windows = pl.DataFrame(whole, schema=dict(HOST.schema))
            scores = windows.select("entity", "start", "end").with_columns(
                per_day=pl.lit(1e4), warm=pl.lit(True)
            )
            with self.house.engine.begin() as connection:
                alerts.take(connection, HOST, windows, scores, [], now=self.now)

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        """Everything in a table."""
        with self.house.engine.connect() as connection:
            return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


@contextmanager
def calling(home: Path, url: str) -> Iterator[Caller]:
    """A caller whose house is closed in the end."""
    with start_blocking_portal() as portal:
        caller = Caller(home, url, portal)
        try:
            yield caller
        finally:
            caller.house.close()
