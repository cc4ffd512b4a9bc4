"""The risk book in the store: one row an entity, written where it changed, gone with its step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from models.risk import RiskBook, RiskInput
from serving.alerts.risk import RISK, changed_risk, read_risk, restore_risk
from serving.store.tables import memory
from tests.serving.alerts.alerting import Bench, window


def rows(bench: Bench) -> dict[str, Any]:
    """What is kept of each entity."""
    return {row["key"]: row["state"] for row in bench.rows(memory) if row["part"] == RISK}


def test_each_step_writes_the_entities_that_changed_and_no_other(bench: Bench) -> None:
    bench.minute({"a": 90, "b": 90})
    bench.minute({"a": 90, "b": 90})
    written: list[Any] = []

    def seen(_c: Any, _cursor: Any, statement: str, given: Any, *_: Any) -> None:
        if "INTO memory" in statement:
            written.append(given)

    sa.event.listen(bench.engine, "before_cursor_execute", seen)
    bench.minute({"a": 90, "b": 10})
    sa.event.remove(bench.engine, "before_cursor_execute", seen)
    assert set(rows(bench)) == {"a", "b"}
    risks = [row for row in flat(written) if RISK in row]
    assert len(risks) == 1
    assert "a" in risks[0]


def flat(given: Any) -> list[tuple[Any, ...]]:
    """The parameters of each row, whichever way the driver was given them."""
    if isinstance(given, dict):
        return [tuple(given.values())]
    if isinstance(given, list) or (given and isinstance(given[0], tuple | list | dict)):
        return [row for one in given for row in flat(one)]
    return [tuple(given)]


def test_a_restart_finds_the_risk_that_was(bench: Bench) -> None:
    bench.minute({"a": 90})
    bench.minute({"a": 90})
    with bench.engine.connect() as connection:
        assert read_risk(connection).risk("a", bench.now) == bench.alerts.risk.risk("a", bench.now)
    before = bench.alerts.risk.risk("a", bench.now)
    bench.restart()
    bench.minute({"b": 10})
    assert bench.alerts.risk.risk("a", before.contributions[0].at or bench.now).value > 0


def test_a_step_that_fails_leaves_no_risk_behind(bench: Bench) -> None:
    bench.minute({"a": 90})
    with bench.engine.connect() as connection, connection.begin() as transaction:
        bench.alerts.take(connection, *window(bench, 90), now=bench.now)
        assert bench.alerts.risk.risk("a", bench.now + timedelta(hours=1)).value > 0
        transaction.rollback()
    assert rows(bench) == {}
    bench.minute({"b": 10})
    assert bench.alerts.risk.risk("a", bench.now).value == 0


def test_what_has_faded_is_no_row_any_more(bench: Bench) -> None:
    bench.minute({"a": 90})
    bench.minute({"a": 90})
    bench.now += timedelta(days=30)
    bench.minute({"b": 10})
    assert rows(bench) == {}


def test_an_entity_with_a_very_long_name_comes_back_with_it() -> None:
    name, now = "x" * 1_000, datetime(2026, 1, 1, tzinfo=UTC)
    book, again = RiskBook(), RiskBook()
    book.add(name, [RiskInput(50.0, now, "rules", "a note")])
    rows = changed_risk(book)
    assert all(len(key) <= 255 for key in rows)
    restore_risk(again, {key: row for key, row in rows.items() if row is not None})
    assert again.risk(name, now) == book.risk(name, now)
    assert again.risk(name, now).value > 0
