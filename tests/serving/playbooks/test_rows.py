"""Steps as people see them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from serving.playbooks.rows import FRESH, RunError, by_the_book, may, person, step_row
from serving.store.keys import Principal, Role
from serving.store.tables import run_steps
from tests.serving.playbooks.running import EVE, Drive, playbook


def test_a_step_that_is_not_there_is_named(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    with engine.begin() as connection, pytest.raises(RunError, match="has no step gone"):
        step_row(connection, drive.run, "gone")


def test_a_fresh_step_has_a_value_for_every_column() -> None:
    given = {"run", "step", "position", "due_at"}
    assert {column.name for column in run_steps.columns} == given | set(FRESH)


def test_roles_and_keys_are_told_apart(engine: sa.Engine) -> None:
    drive = Drive(engine, playbook())
    with engine.begin() as connection:
        step = by_the_book(connection, drive.run, "pause")
    with pytest.raises(RunError, match="needs responder"):
        may(EVE, step)
    with pytest.raises(RunError, match="expected a person"):
        person(Principal("key:x", Role.ADMIN))
