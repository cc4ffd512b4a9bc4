"""One Delta table of the lake: how it is made, opened, and which of its files hold which days."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from threading import local

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties

from pipeline.lake.schema import KEYS, PARTITION, LakeError, schema_of

__all__ = ["NO_HOOKS", "Open", "data_files", "load", "locked", "make"]

# The hooks list the whole log at each commit; `Lake.compact` does their work once in a while.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of the table; the system lets go of it when the process dies.

    Appends need no lock. But of two compactions that start from one version delta-rs commits
    both, and every row is there twice; and of two processes that make one table, both may.
    """
    with (path / "_lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(name: str, path: Path, schema: pl.Schema, history: timedelta) -> None:
    """Make the table unless it is there."""
    uri = path.as_uri()
    if DeltaTable.is_deltatable(uri):
        return
    path.mkdir(parents=True, exist_ok=True)
    keep = f"interval {ceil(history.total_seconds())} seconds"
    with locked(path):
        if DeltaTable.is_deltatable(uri):
            return
        if any(path.rglob("*.parquet")):
            raise LakeError(f"{name}: {path} has data but no log; expected a Delta table")
        DeltaTable.create(
            uri,
            schema,
            partition_by=[PARTITION],
            configuration={
                "delta.dataSkippingStatsColumns": ",".join(KEYS),
                "delta.deletedFileRetentionDuration": keep,
                "delta.logRetentionDuration": keep,
            },
        )


def load(name: str, path: Path, version: int | None = None) -> DeltaTable:
    """Open the table at a version, by default the latest.

    Raises
    ------
    LakeError
        If there is no such version, or the table is not one that `make` makes.
    """
    table = DeltaTable(path.as_uri())
    if version is not None:
        if not 0 <= version <= (newest := table.version()):
            raise LakeError(f"{name}: no version {version}; expected 0 to {newest}")
        table.load_as_version(version)
    return _ours(name, path, table)


class Open(local):
    """The tables that a thread has open: catching up with a log costs less than reading it."""

    def __init__(self) -> None:
        self._tables: dict[Path, DeltaTable] = {}

    def latest(self, name: str, path: Path) -> DeltaTable:
        """A table at its latest version; raises as `load`."""
        table = self._tables.get(path)
        # A log is cut from its beginning: where the entry of our version is gone, so may be the
        # next one, and we would never hear of those after it.
        if table is None or not (path / "_delta_log" / f"{table.version():020}.json").exists():
            table = self._tables[path] = load(name, path)
        else:
            table.update_incremental()
        return _ours(name, path, table)


def _ours(name: str, path: Path, table: DeltaTable) -> DeltaTable:
    ours = (
        table.metadata().partition_columns == [PARTITION] and KEYS.keys() <= schema_of(table).keys()
    )
    # In tables of later protocols a file may hold rows that are deleted.
    if not ours or table.protocol().min_reader_version > 1:
        raise LakeError(f"{name}: {path} is a Delta table, but not one of the lake")
    return table


def data_files(
    name: str, path: Path, table: DeltaTable, since: datetime | None, until: datetime | None
) -> list[Path]:
    """Files of the dates on which a window with ``since <= start < until`` can start.

    Not left to ``polars.scan_delta``: that one finds no files below a directory with a space
    in its name, and panics on a file that is cut short.

    Raises
    ------
    LakeError
        If a file is gone, or not as long as the log says.
    """
    date = pl.col(f"partition.{PARTITION}")
    files = pl.DataFrame(table.get_add_actions(flatten=True)).select("path", "size_bytes", date)
    if since is not None:
        files = files.filter(date >= since.date())
    if until is not None:
        files = files.filter(date <= (until - timedelta.resolution).date())
    found = []
    for file, size, _ in files.iter_rows():
        length = (path / file).stat().st_size if (path / file).exists() else 0
        if length != size:
            raise LakeError(f"{name}: file {file} has {length} bytes; expected {size}")
        found.append(path / file)
    return found
