"""The tables: times, sequence numbers, what a slow query would cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from serving.alerts.lifecycle import OPEN
from serving.store.tables import METADATA, alerts, changes, memory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _change(number: int) -> dict[str, object]:
    return {"at": NOON, "kind": "alert", "subject": str(number), "fields": {}}


def test_sequence_numbers_are_never_used_again(store: sa.Engine) -> None:
    with store.begin() as connection:
        connection.execute(changes.insert(), [_change(1), _change(2)])
        newest = connection.execute(sa.select(sa.func.max(changes.c.sequence))).scalar_one()
        connection.execute(changes.delete())
        connection.execute(changes.insert(), [_change(3)])
        assert connection.execute(sa.select(changes.c.sequence)).scalar_one() > newest


def test_a_change_that_is_seen_has_none_before_it_still_to_come(store: sa.Engine) -> None:
    if store.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    with store.connect() as first, store.connect() as second:
        first.execute(changes.insert(), [_change(1)])
        second.execute(sa.text("SET LOCAL lock_timeout = '50ms'"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            second.execute(changes.insert(), [_change(2)])


def test_an_entity_may_have_a_name_of_any_length(store: sa.Engine) -> None:
    row = {"part": "rules", "key": "a.rule|" + "x" * 2_000, "state": {"bits": 1}}
    with store.begin() as connection:
        connection.execute(memory.insert().values(row))
        assert dict(connection.execute(sa.select(memory)).mappings().one()) == row


def test_times_come_back_as_the_same_instant_in_utc(store: sa.Engine) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5, minutes=30))).replace(microsecond=123456)
    with store.begin() as connection:
        connection.execute(changes.insert(), [_change(1) | {"at": there}])
        found = connection.execute(sa.select(changes.c.at)).scalar_one()
    assert (found, found.utcoffset()) == (there, timedelta(0))


def test_open_alerts_are_found_by_an_index_however_many_are_over(store: sa.Engine) -> None:
    recent = sa.or_(alerts.c.state.in_(OPEN), alerts.c.updated_at > NOON)
    query = sa.select(alerts).where(recent)
    with store.begin() as connection:
        if store.dialect.name == "postgresql":
            connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        text = query.compile(store, compile_kwargs={"literal_binds": True})
        prefix = "EXPLAIN QUERY PLAN " if store.dialect.name == "sqlite" else "EXPLAIN "
        plan = "\n".join(map(str, connection.exec_driver_sql(f"{prefix}{text}")))
    assert "ix_alerts_state" in plan
    assert "ix_alerts_updated_at" in plan
    assert "SCAN alerts" not in plan


def test_every_time_is_stored_with_its_zone() -> None:
    naive = [
        f"{table.name}.{column.name}"
        for table in METADATA.sorted_tables
        for column in table.columns
        if isinstance(column.type, sa.DateTime)
    ]
    assert naive == []
