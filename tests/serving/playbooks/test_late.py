"""The clock of runs: reminders for what is late, and when a run is over."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from serving.playbooks.late import finish, remind
from serving.store.tables import changes, outbox
from tests.serving.playbooks.running import Drive, playbook

MINUTE = timedelta(minutes=1)


def test_nobody_is_reminded_before_a_step_is_late(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick(5 * MINUTE)
    with engine.begin() as connection:
        before = connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one()
        remind(connection, drive.now + timedelta(minutes=4, seconds=59))
        assert connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar() == before
        remind(connection, drive.now + 5 * MINUTE)
        titles = [row.payload["title"] for row in connection.execute(sa.select(outbox))]
    assert any("is overdue since 12:10 UTC" in title for title in titles)


def test_a_run_is_not_over_while_a_step_is_open(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    drive.tick()
    with engine.begin() as connection:
        finish(connection, drive.now)
    assert drive.state() == "running"


def test_the_end_of_a_run_is_shown_once(engine: sa.Engine) -> None:
    document = playbook().model_copy(update={"shadow": True})
    drive = Drive(engine, document)
    for _ in range(3):
        drive.tick(5 * MINUTE)
    assert drive.state() == "done"
    with engine.connect() as connection:
        shown = [row.fields for row in connection.execute(sa.select(changes))]
    assert sum(fields.get("why") == "every step is over" for fields in shown) == 1
