"""The tables hold what the states of the checkpoint hold, column for column."""

from __future__ import annotations

from dataclasses import fields

import pytest
import sqlalchemy as sa

from pipeline.stream.checkpoint import SourceState, ViewState
from pipeline.stream.tables import METADATA, SOURCES, VIEWS


@pytest.mark.parametrize(("state", "table"), [(SourceState, SOURCES), (ViewState, VIEWS)])
def test_a_table_has_a_column_for_each_part_of_a_state(state: type, table: sa.Table) -> None:
    assert ["loop", *(part.name for part in fields(state))] == table.columns.keys()


def test_every_table_tells_loops_apart() -> None:
    for table in METADATA.tables.values():
        assert "loop" in table.primary_key.columns
