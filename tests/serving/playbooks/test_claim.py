"""Claims: a step is taken by one process, and written by who has it, as it was when taken."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from serving.playbooks.claim import LEASE, Overtaken, change, claim
from serving.playbooks.people import skip
from tests.serving.playbooks.running import BOB, NOON, Drive, playbook


def test_what_one_has_taken_no_other_takes_before_its_time_is_up(engine: sa.Engine) -> None:
    Drive(engine, playbook())
    assert [row["step"] for _, row in claim(engine, "one", now=NOON)] == ["pause"]
    assert claim(engine, "two", now=NOON + LEASE - timedelta(seconds=1)) == []
    assert [row["leased_by"] for _, row in claim(engine, "two", now=NOON + LEASE)] == ["two"]


def test_who_was_overtaken_by_a_process_or_a_person_writes_nothing(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    ((_, old),) = claim(engine, "one", now=NOON)
    ((_, new),) = claim(engine, "two", now=NOON + LEASE)
    with engine.begin() as connection, pytest.raises(Overtaken):
        change(connection, "one", old, state="done")
    with engine.begin() as connection:
        skip(connection, drive.run, "pause", BOB, "seen to", now=NOON + LEASE)
    with engine.begin() as connection, pytest.raises(Overtaken):
        change(connection, "two", new, state="done")
    assert drive.states()["pause"] == "skipped"


def test_what_is_written_is_known_to_who_wrote_it(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    ((_, row),) = claim(engine, "one", now=NOON)
    with engine.begin() as connection:
        change(connection, "one", row, state="acting", intent={"what": "0xvault"})
    assert row["state"] == drive.step("pause")["state"] == "acting"
