"""Killed at random instants, with channels that fail and a database that goes away: it holds."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.database import reading
from serving.severity import Severity
from serving.store.tables import alerts, incidents, outbox
from tests.postgres import _as_user, _binary
from tests.serving.proof.worker import FIRST, alert_engine, next_minute, step
from tests.serving.proof.world import GRACE_S, LEAST_MINUTES, Channels, Person, kill_often

MakeStore = Callable[[], sa.Engine]
REASONS = {"acknowledged by then", "over by then", "told anew since"}


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_nothing_is_lost_nothing_is_doubled_and_nobody_is_woken_again(
    make_store: MakeStore, request: pytest.FixtureRequest, kills: int
) -> None:
    store, reference = make_store(), make_store()
    url = store.url.render_as_string(hide_password=False)
    channels, person = Channels(seed=kills), Person(url, seed=kills)
    restarts: list[int] = []

    def disturb(number: int) -> None:
        if store.dialect.name == "postgresql" and number in (kills // 3, 2 * kills // 3):
            _restart(request.getfixturevalue("postgres"))
            restarts.append(number)

    try:
        kill_often(url, channels, kills, disturb)
    finally:
        person.stop()
        channels.web.close()
    store.dispose()
    reference.dispose()
    assert len(restarts) == (2 if store.dialect.name == "postgresql" else 0)
    _as_it_would_have_been(reference, store)

    with reading(store) as connection:
        rows = [dict(row) for row in connection.execute(sa.select(outbox)).mappings()]
    _nothing_lost(rows, channels)
    _nothing_doubled(rows, channels)
    _nobody_woken_again(rows, channels, person)


def _as_it_would_have_been(reference: sa.Engine, store: sa.Engine) -> None:
    """The same alerts, incidents and messages as where nobody was ever killed."""
    with reading(store) as connection:
        minutes = next_minute(connection)
    engine = alert_engine()
    for minute in range(minutes):
        with reference.begin() as connection:
            step(connection, engine, minute, FIRST, FIRST + timedelta(hours=12))
    assert minutes >= LEAST_MINUTES
    for table, names in (
        (alerts, ("id", "fingerprint", "incident", "severity", "opened_at", "windows", "why")),
        (incidents, ("id", "group", "severity", "told", "entities")),
    ):
        assert _told(store, table, names) == _told(reference, table, names)
    wanted = _told(reference, outbox, ("dedup_key",), outbox.c.action == "trigger")
    assert _told(store, outbox, ("dedup_key",), outbox.c.action == "trigger") == wanted
    assert wanted


def _told(engine: sa.Engine, table: sa.Table, names: tuple[str, ...], *where: Any) -> list[Any]:
    with reading(engine) as connection:
        found = connection.execute(sa.select(*(table.c[name] for name in names)).where(*where))
        return sorted(tuple(map(str, row)) for row in found)


def _nothing_lost(rows: list[dict[str, Any]], channels: Channels) -> None:
    """What is called sent has arrived; what is not sent says why."""
    # What came up after the last look may still be on its way when the last process is killed.
    for row in rows:
        if row["state"] == "cancelled":
            assert row["error"] in REASONS
        elif row["state"] == "sent" and row["channel"] == "pager":
            if row["action"] == "trigger":
                assert row["incident"] in channels.opened
        elif row["state"] == "sent":
            assert _key(row) in channels.taken
        else:
            assert row["state"] == "pending"
    states = {row["state"] for row in rows}
    assert "sent" in states
    assert channels.faults.total()


def _nothing_doubled(rows: list[dict[str, Any]], channels: Channels) -> None:
    """Every effect in a channel that heeds keys belongs to one message."""
    assert set(channels.taken) <= {_key(row) for row in rows}
    assert set(channels.opened.values()) == {1}
    assert set(channels.opened) <= {row["incident"] for row in rows}


def _nobody_woken_again(rows: list[dict[str, Any]], channels: Channels, person: Person) -> None:
    assert person.acknowledged
    for when, incident, severity in channels.arrivals:
        at, grade = person.acknowledged.get(incident, (when, Severity.INFO))
        late = (when - at).total_seconds() > GRACE_S
        assert not (late and Severity(severity) <= grade), f"{incident} woke somebody again"


def _key(row: dict[str, Any]) -> str:
    return hashlib.sha256(row["dedup_key"].encode()).hexdigest()


def _restart(folder: Path) -> None:
    """As a crash: what was not committed is gone."""
    server = _binary("pg_ctl")
    assert server
    again = [server, "-D", str(folder / "data"), "-w", "-m", "immediate", "restart"]
    log = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*again, "-l", str(folder / "log")],
        check=True,
        cwd=folder,
        **log,
        **_as_user(folder),  # type: ignore[call-overload]
    )
