"""A notice: read back as it was written; the same key is kept once."""

from __future__ import annotations

import json
from datetime import timedelta

import sqlalchemy as sa

from serving.notify.notice import TOLD_ALREADY, Notice, enqueue
from serving.store.tables import outbox
from tests.serving.notify.telling import NOON, notice


def test_a_notice_is_read_back_as_it_was_written() -> None:
    given = notice(unless_acknowledged=True)
    assert Notice.of(json.loads(json.dumps(given.payload()))) == given


def test_a_key_that_is_there_stays_as_it_is(store: sa.Engine) -> None:
    with store.begin() as connection:
        enqueue(connection, [notice(), notice(title="later in the same step")], now=NOON)
    with store.begin() as connection:
        enqueue(connection, [notice(title="another step"), notice(dedup_key="new")], now=NOON)
    with store.connect() as connection:
        found = connection.execute(sa.select(outbox)).mappings().all()
    titles = {row["dedup_key"]: row["payload"]["title"] for row in found}
    assert titles == {notice().dedup_key: "later in the same step", "new": "Memory: db-1"}


def test_a_step_that_fails_tells_nobody(store: sa.Engine) -> None:
    with store.connect() as connection:
        enqueue(connection, [notice()], now=NOON)
        connection.rollback()
    with store.connect() as connection:
        assert connection.execute(sa.select(outbox)).first() is None


def test_a_topic_is_told_once_a_quarter_of_an_hour_for_each_channel(store: sa.Engine) -> None:
    def told(key: str, later: timedelta, channel: str = "chat", topic: str = "held") -> str:
        given = notice(dedup_key=key, channel=channel, topic=topic)
        with store.begin() as connection:
            enqueue(connection, [given], now=NOON + later)
            mine = sa.select(outbox).where(outbox.c.dedup_key == key)
            row = connection.execute(mine).one()
            if row.state == "cancelled":
                assert (row.error, row.payload["topic"]) == (TOLD_ALREADY, topic)
                return str(row.payload["detail"]["told_with"])
            return str(row.id)

    soon = timedelta(minutes=14)
    first = told("first", timedelta(0))
    assert told("second", soon) == first
    assert told("sms", soon, channel="sms") != first
    assert told("other", soon, topic="freed") != first
    assert told("none", soon, topic="") != first
    third = told("third", timedelta(minutes=15))
    assert third != first
    with store.begin() as connection:
        connection.execute(outbox.update().values(state="dead"))
    assert told("fourth", timedelta(minutes=16)) not in (first, third)
