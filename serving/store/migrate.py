"""Brings a database to the tables of this version: from nothing, or from an older version's."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError

from pipeline.database import StoreError

__all__ = ["migrate", "pending"]

FOLDER = Path(__file__).parent / "migrations"
HEAD = "head"
LOCK = "SELECT pg_advisory_xact_lock(hashtext('tocsin migrate'))"


def migrate(engine: sa.Engine, *, to: str = HEAD) -> list[str]:
    """Apply every migration that the database lacks, all or none; several processes may at once.

    Parameters
    ----------
    to : str
        The revision to stop at.

    Returns
    -------
    list of str
        The revisions that were applied, oldest first.

    Raises
    ------
    StoreError
        The database is of a version that this one does not know.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text(LOCK))
        scripts = ScriptDirectory(str(FOLDER))
        context = MigrationContext.configure(connection)
        missing = pending(connection, to=to)
        with Operations.context(context):
            for revision in missing:
                scripts.get_revision(revision).module.upgrade()
        if missing:
            context.stamp(scripts, to)
    return missing


def pending(connection: sa.Connection, *, to: str = HEAD) -> list[str]:
    """The revisions that the database lacks, oldest first.

    Raises
    ------
    StoreError
        The database is of a version that this one does not know.
    """
    known = ScriptDirectory(str(FOLDER))
    current = MigrationContext.configure(connection).get_current_revision()
    try:
        lacking = [script.revision for script in known.iterate_revisions(to, current or "base")]
    except RevisionError as error:
        raise StoreError(
            f"the store is of revision {current}, this version knows up to "
            f"{known.get_current_head()}: it was written by a newer one"
        ) from error
    return lacking[::-1]
