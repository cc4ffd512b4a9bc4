"""The lake: a Delta table of windows for each view, and a table of their scores beside it.

Source: Delta Lake protocol, through delta-rs; layout and limits are ours (FINDINGS.md, "Lake").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path
from typing import TypeVar

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from pipeline.lake.schema import (
    ASIDE,
    KEYS,
    PARTITION,
    SCORES,
    LakeError,
    align,
    check,
    explained,
    folder_of,
    schema_of,
    utc,
)
from pipeline.lake.table import NO_HOOKS, Open, data_files, load, locked, make

__all__ = ["Lake", "LakeError"]

Result = TypeVar("Result")

# A commit loses against writers that change the schema, delete, or repeat its transaction.
ATTEMPTS = 20
# Compaction leaves larger files alone: it never rewrites a whole day again and again.
FILE_BYTES = 16 * 2**20


class Lake:
    """Delta tables below one directory, partitioned by the UTC date of a window's ``start``.

    A table is named by its view, ``"trades.symbol_5s"``; the scores of that view's windows are
    ``"scores/trades.symbol_5s"``. What became no window is in ``"aside/<stream>"``: refused rows,
    late and future-stamped events. Every row has ``entity``, ``start`` and ``end`` (half open,
    UTC); windows add Float64 columns, scores may also add Boolean, Int64 and String ones.

    Any number of threads and processes may use one lake, through this class. A writer killed at
    any instruction leaves whole appends only; a power failure can take the last ones.

    Parameters
    ----------
    root : str or Path
        A local directory; made by the first append.
    compact_every : int
        Each time a table has this many more commits, the append that made the last one compacts.
    history : timedelta
        How long the tables that this lake makes keep old versions. Commits become slower with
        the number of commits kept: long histories are for tables that are seldom written.

    Raises
    ------
    LakeError
        If ``root`` is not a local directory.
    """

    def __init__(
        self, root: str | Path, *, compact_every: int = 50, history: timedelta = timedelta(days=1)
    ) -> None:
        if "://" in str(root) or "%" in str(root):
            raise LakeError(f"lake {root}: expected a local directory without '%' in its path")
        self.root = Path(root).absolute()
        if self.root.exists() and not self.root.is_dir():
            raise LakeError(f"lake {self.root}: is a file; expected a directory")
        self._compact_every = compact_every
        self._history = history
        self._open = Open()

    def tables(self) -> list[str]:
        """Names of all tables, those of scores and of what was put aside last."""
        return [
            prefix + path.name
            for folder, prefix in (("windows", ""), ("scores", SCORES), ("aside", ASIDE))
            for path in sorted((self.root / folder).glob("*"))
            if DeltaTable.is_deltatable(path.as_uri())
        ]

    def views(self) -> list[str]:
        """Names of the views that have windows."""
        return [name for name in self.tables() if "/" not in name]

    def append(
        self, view: str, windows: pl.DataFrame, transaction: tuple[str, int] | None = None
    ) -> bool:
        """Append windows in one atomic commit; the first append makes the table.

        A column that is new to the table is null in the windows before; one that is missing here
        is written as null.

        Parameters
        ----------
        transaction : (str, int), optional
            Application id and version. A version up to the last one that the application
            committed is not written again, whoever else writes at the same time: versions grow.

        Returns
        -------
        bool
            False if the transaction had been committed already.

        Raises
        ------
        LakeError
            For a name or frame that the table does not take, or a table that cannot be written.
        """
        rows = check(view, windows)
        properties = CommitProperties(
            app_transactions=[Transaction(*transaction)] if transaction else None
        )

        def commit(table: DeltaTable) -> int | None:
            # Checked on the snapshot that is written against: delta-rs then refuses the commit
            # if the same application gets in between, and the next attempt sees its version.
            last = table.transaction_version(transaction[0]) if transaction else None
            if transaction and last is not None and last >= transaction[1]:
                return None
            known = schema_of(table)
            write_deltalake(
                table,
                align(view, rows, known),
                mode="append",
                schema_mode="merge" if set(rows.columns) - {*known, PARTITION} else None,
                commit_properties=properties,
                post_commithook_properties=NO_HOOKS,
            )
            return table.version()

        with explained(view, "make"):
            make(view, self._path(view), rows.schema, self._history)
        version = self._commit(view, "append to", commit)
        if version is not None and version % self._compact_every == 0:
            self.compact(view)
        return version is not None

    def windows(
        self,
        view: str,
        since: datetime | None = None,
        until: datetime | None = None,
        entities: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> pl.DataFrame:
        """Windows with ``since <= start < until``, sorted by (start, entity); see `scan`."""
        found = self.scan(view, since, until, entities, columns, version)
        with explained(view, "read"):
            return found.sort("start", "entity").collect()

    def scan(
        self,
        view: str,
        since: datetime | None = None,
        until: datetime | None = None,
        entities: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
        version: int | None = None,
    ) -> pl.LazyFrame:
        """Windows with ``since <= start < until``, in no order, of one version, read lazily.

        Parameters
        ----------
        since, until : aware datetime, optional
            Files of other dates are not opened.
        columns : sequence of str, optional
            Columns beside ``entity``, ``start`` and ``end``; by default all.
        version : int, optional
            By default the latest.

        Raises
        ------
        LakeError
            For an unknown view, column or version, a naive time, or files lost or damaged.
        """
        since = since and utc("since", since)
        until = until and utc("until", until)
        table = self._load(view, version)
        schema = schema_of(table)
        if unknown := [name for name in columns or () if name not in schema]:
            raise LakeError(f"{view}: no column {unknown[0]!r}; expected one of {list(schema)}")
        if isinstance(entities, str):
            raise LakeError(f"{view}: entities = {entities!r}; expected a list of names")
        with explained(view, "read"):
            files = data_files(view, self._path(view), table, since, until)
        found = pl.LazyFrame(schema=schema)
        if files:
            found = pl.scan_parquet(
                files, schema=schema, missing_columns="insert", glob=False, hive_partitioning=False
            )
        if since is not None:
            found = found.filter(pl.col("start") >= since)
        if until is not None:
            found = found.filter(pl.col("start") < until)
        if entities is not None:
            found = found.filter(pl.col("entity").is_in(list(entities)))
        return found if columns is None else found.select(*dict.fromkeys([*KEYS, *columns]))

    def version(self, view: str) -> int:
        """The latest version of the table."""
        return self._load(view).version()

    def history(self, view: str) -> pl.DataFrame:
        """The commits that are kept, latest first: version, time (UTC), operation."""
        with explained(view, "read the history of"):
            commits = self._load(view).history()
        return pl.DataFrame(
            [(commit["version"], commit["timestamp"], commit["operation"]) for commit in commits],
            {"version": pl.Int64, "time": pl.Datetime("ms", "UTC"), "operation": pl.String},
            orient="row",
        )

    def compact(self, view: str) -> None:
        """Join small files, write a checkpoint, and drop log entries older than the history."""

        def commit(table: DeltaTable) -> None:
            table.optimize.compact(target_size=FILE_BYTES, post_commithook_properties=NO_HOOKS)
            table.create_checkpoint()
            table.cleanup_metadata()

        self._maintain(view, "compact", commit)

    def retain(self, view: str, days: int, now: datetime) -> int:
        """Delete the windows that started more than ``days`` before ``now``; return how many.

        Their bytes stay for time travel until `vacuum`.
        """
        if days < 1:
            raise LakeError(f"{view}: days = {days}; expected at least 1")
        cutoff = utc("now", now) - timedelta(days=days)
        # The date alone decides for whole partitions, which go without being read.
        old = f"{PARTITION} <= '{cutoff:%Y-%m-%d}' AND start < '{cutoff.isoformat()}'"

        def commit(table: DeltaTable) -> int:
            deleted = table.delete(old, post_commithook_properties=NO_HOOKS)
            return int(deleted["num_deleted_rows"])

        return self._maintain(view, "delete from", commit)

    def vacuum(self, view: str, keep: timedelta) -> int:
        """Remove the files that no version younger than ``keep`` reads; return how many.

        Also removes what killed writers left. A ``keep`` shorter than the longest append takes
        away what is being written.
        """
        if keep < timedelta(0):
            raise LakeError(f"{view}: keep = {keep}; expected zero or more")

        def commit(table: DeltaTable) -> int:
            removed = table.vacuum(
                ceil(keep / timedelta(hours=1)),
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
                post_commithook_properties=NO_HOOKS,
            )
            return len(removed)

        return self._maintain(view, "vacuum", commit)

    def _path(self, view: str) -> Path:
        return self.root.joinpath(*folder_of(view))

    def _existing(self, view: str) -> Path:
        if not (path := self._path(view)).exists():
            having = ", ".join(self.tables()) or "no table"
            raise LakeError(f"{view} is not in the lake {self.root}, which has {having}")
        return path

    def _load(self, view: str, version: int | None = None) -> DeltaTable:
        path = self._existing(view)
        with explained(view, "read"):
            return load(view, path, version)

    def _maintain(self, view: str, doing: str, commit: Callable[[DeltaTable], Result]) -> Result:
        """Commit while nobody else maintains the table."""
        path = self._existing(view)
        with explained(view, doing), locked(path):
            return self._commit(view, doing, commit)

    def _commit(self, view: str, doing: str, commit: Callable[[DeltaTable], Result]) -> Result:
        """Commit against the latest snapshot, again as long as other writers get in between."""
        path = self._existing(view)
        with explained(view, doing):
            for _ in range(ATTEMPTS - 1):
                with suppress(CommitFailedError):
                    return commit(self._open.latest(view, path))
            return commit(self._open.latest(view, path))
