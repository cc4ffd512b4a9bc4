"""The risk book in the store: one row an entity, written where it changed, gone with its step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.access.stream import ACCESS
from models.risk import RiskBook, RiskInput
from serving.alerts.risk import (
    RISK,
    SHARE,
    changed_risk,
    forget,
    in_words,
    link_actor,
    read_risk,
    restore_risk,
)
from serving.rules.actors import Actors
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


def test_an_account_is_handed_the_risk_of_its_key_across_a_restart(bench: Bench) -> None:
    granted = {"ts": bench.now, "id": 0, "kind": "request", "account": "ann", "key": "a"}
    events = pl.DataFrame([granted], schema={one.name: one.type for one in ACCESS.columns})
    with bench.engine.begin() as connection:
        bench.alerts.see(connection, ACCESS.name, events)
    bench.minute({"a": 90, "ann": 10})
    bench.minute({"a": 90, "ann": 10})
    bench.restart()
    bench.minute({"a": 10, "ann": 90})
    bench.minute({"a": 10, "ann": 90})
    with bench.engine.connect() as connection:
        paths = {part.path for part in read_risk(connection).risk("ann", bench.now).contributions}
    assert paths == {("ann",), ("a", "ann")}


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


NOW = datetime(2026, 1, 1, tzinfo=UTC)


def actors_of(**accounts: str) -> Actors:
    found = Actors()
    found.restore({name: {"account": account, "at": 0} for name, account in accounts.items()})
    return found


def risky(*entities: str, actors: Actors) -> RiskBook:
    book = RiskBook()
    for entity in entities:
        book.add(entity, [RiskInput(80.0, NOW, "rules", f"what {entity} did")])
        link_actor(book, entity, actors)
    return book


def test_a_key_hands_its_risk_on_to_the_account_and_the_account_to_its_names() -> None:
    actors = actors_of(key="ann", ip="ann", other="bob")
    book = risky("key", actors=actors)
    (handed,) = book.risk("ann", NOW).contributions
    assert handed.path == ("key", "ann")
    assert handed.points == SHARE * book.risk("key", NOW).value
    assert in_words(handed) == "handed on from key to ann"
    assert book.risk("ip", NOW).value == 0
    book = risky("ann", actors=actors)
    assert {one.entity for one in book.riskiest(NOW, 9)} == {"ann", "key", "ip"}
    assert book.risk("other", NOW).value == 0


def test_an_entity_is_never_handed_its_own_risk() -> None:
    book = risky("key", actors=actors_of(key="ann"))
    assert [part.path for part in book.risk("key", NOW).contributions] == [("key",)]


def test_what_turns_out_to_be_shared_is_linked_no_more() -> None:
    book = risky("ip", actors=actors_of(ip="ann"))
    assert book.risk("ann", NOW).value > 0
    link_actor(book, "ip", actors_of(ip=""))
    assert book.risk("ann", NOW).value == 0
    assert changed_risk(book).keys() == {"ip", "ann"}


def test_links_go_when_all_that_they_handed_on_has_faded() -> None:
    book = risky("key", "ann", actors=actors_of(key="ann", ip="ann"))
    forget(book, NOW + timedelta(days=1))
    assert book.links.targets()
    forget(book, NOW + timedelta(days=60))
    assert book.links.targets() == []
    assert all(row is None for row in changed_risk(book).values())
