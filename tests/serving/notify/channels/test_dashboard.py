"""The pages: a notice is a change like any other."""

from __future__ import annotations

import sqlalchemy as sa

from pipeline.database import open_engine
from serving.store.tables import changes
from tests.serving.notify.telling import channel, notice


def test_a_notice_is_a_row_that_pages_are_sent(store: sa.Engine) -> None:
    assert channel("dashboard", store).send(notice()).outcome == "sent"
    with store.connect() as connection:
        (row,) = connection.execute(sa.select(changes)).mappings()
    assert (row["kind"], row["subject"]) == ("notice", "5e1f:high:chat:trigger")
    assert row["fields"]["facts"]["First step"] == "Find the process that grows and restart it."
    assert (row["fields"]["title"], row["fields"]["incident"]) == ("HIGH: Memory: db-1", "5e1f0c")


def test_a_store_that_is_away_is_asked_again() -> None:
    answer = channel("dashboard", open_engine("sqlite:////nowhere/at/all.db")).send(notice())
    assert answer.outcome == "retry"
