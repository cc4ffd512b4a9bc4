"""Where the loop stands: positions, windowers, models and counts, in one transaction a step.

A step has two transactions. The first writes the intent: how far each source will be read, at
what time, with which models. The second, when the lake has the windows, writes where the loop
stands then, and whatever the sink makes of the windows. Killed in between, the step is done again
with the same rows, and the lake knows the appends that it had.

Source: ours; write-ahead intent after ARIES (Mohan et al. 1992), ids of the lake's transactions
after Spark's `foreachBatch`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias

import sqlalchemy as sa

from pipeline.database import reading, upsert
from pipeline.sources.source import Position
from pipeline.stream.cases import Case
from pipeline.stream.tables import FAULTS, LEARNED, LOOPS, METADATA, SOURCES, VIEWS

__all__ = [
    "Adoption",
    "Checkpoint",
    "Connection",
    "DatabaseError",
    "Intent",
    "SourceState",
    "StreamState",
    "ViewState",
    "recorded",
]

Connection: TypeAlias = sa.Connection
DatabaseError: TypeAlias = sa.exc.SQLAlchemyError

# How often a transaction is begun again while somebody else holds the database.
ATTEMPTS = 5


@dataclass(frozen=True)
class Adoption:
    """The model that a view takes up in a step, for good.

    Parameters
    ----------
    model : str or None
        Its name, ``"cold"`` for one that begins to learn, None for thresholds only.
    file : str or None
        Name of its file in the loop's folder of states.
    state, detail : str
        As in `pipeline.lifecycle.champion.Champion`.
    """

    model: str | None
    file: str | None
    state: str
    detail: str


@dataclass(frozen=True)
class Intent:
    """All that decides what a step does, beside what the checkpoint says already."""

    step: int
    now: datetime
    until: dict[str, Position] = field(default_factory=dict)
    models: dict[str, Adoption] = field(default_factory=dict)
    flush: bool = False
    cases: dict[str, list[Case]] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceState:
    """How far one source was read: position, rows given, refused and from the future."""

    source: str
    stream: str
    position: Position | None = None
    given: int = 0
    refused: int = 0
    future: int = 0
    newest: datetime | None = None
    held: bytes | None = None


@dataclass(frozen=True)
class ViewState:
    """Where one view stands: its windower's frames as bytes, its scorer as the name of a file.

    What the scorer has learned since its file was written is in `StreamState.learned`.
    """

    view: str
    pending: bytes
    previous: bytes
    newest: datetime | None
    closed_until: datetime | None
    last_arrival: datetime | None
    scorer: str | None
    model: str | None
    state: str
    detail: str
    accepted: int
    late: int
    windows: int


@dataclass(frozen=True)
class StreamState:
    """What a checkpoint holds of one loop; ``learned`` as in `pipeline.stream.kept.Learned`."""

    step: int
    committed: datetime | None
    intent: Intent | None
    sources: dict[str, SourceState]
    views: dict[str, ViewState]
    faults: dict[str, dict[str, Any]]
    learned: dict[str, list[tuple[int, bytes]]]


class Checkpoint:
    """The rows of one loop in the database.

    Parameters
    ----------
    engine : sqlalchemy.Engine
        From `pipeline.database.open_engine`; the same that the sink's tables are in.
    loop : str
        Name of the loop: several may share a database.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        The database cannot be used.
    """

    def __init__(self, engine: sa.Engine, loop: str = "stream") -> None:
        self.engine = engine
        self.loop = loop
        self._again(METADATA.create_all)

    def state(self) -> StreamState:
        """Where the loop stands."""
        with reading(self.engine) as connection:
            return _state(connection, self.loop)

    def intend(self, intent: Intent) -> None:
        """Write what the next step will do."""
        row = {
            "loop": self.loop,
            "step": intent.step - 1,
            "intent": asdict(intent) | {"now": intent.now.isoformat()},
            "committed": None,
        }
        self._again(lambda connection: upsert(connection, LOOPS, [row], keep=["committed"]))

    def commit(
        self,
        intent: Intent,
        sources: Sequence[SourceState],
        views: Sequence[ViewState],
        sink: Callable[[sa.Connection], None],
        learned: Mapping[str, bytes | None] = MappingProxyType({}),
    ) -> None:
        """Write what a step did, and let the sink write, in one transaction.

        Parameters
        ----------
        sources, views
            Those that changed.
        sink : callable
            Called again from the start if the transaction is.
        learned
            By view, as `pipeline.stream.kept.Kept.keep` gives it.
        """
        done = {"loop": self.loop, "step": intent.step, "intent": None, "committed": intent.now}

        def write(connection: sa.Connection) -> None:
            upsert(connection, LOOPS, [done])
            upsert(connection, SOURCES, [{"loop": self.loop, **asdict(s)} for s in sources])
            # One by one: a statement with the windowers of all views would be long.
            for view in views:
                upsert(connection, VIEWS, [{"loop": self.loop, **asdict(view)}])
            for name, windows in learned.items():
                row = {"loop": self.loop, "view": name, "step": intent.step}
                if windows is None:
                    mine = sa.and_(LEARNED.c.loop == self.loop, LEARNED.c.view == name)
                    connection.execute(LEARNED.delete().where(mine))
                else:
                    upsert(connection, LEARNED, [row | {"windows": windows}])
            sink(connection)

        self._again(write)

    def fault(self, source: str, error: str | None, **when: Any) -> None:
        """Keep that a source fails, for `stream_status`; None says that it works again."""
        mine = sa.and_(FAULTS.c.loop == self.loop, FAULTS.c.source == source)

        def write(connection: sa.Connection) -> None:
            if error is None:
                connection.execute(FAULTS.delete().where(mine))
            else:
                row = {"loop": self.loop, "source": source, "error": error, **when}
                upsert(connection, FAULTS, [row], keep=["since"])

        self._again(write)

    def forget_faults(self) -> None:
        """No source of this loop is known to fail."""

        def write(connection: sa.Connection) -> None:
            connection.execute(FAULTS.delete().where(FAULTS.c.loop == self.loop))

        self._again(write)

    def close(self) -> None:
        """Give up the connections to the database."""
        self.engine.dispose()

    def _again(self, write: Callable[[sa.Connection], None]) -> None:
        """Run a transaction, again when another held the database longer than a writer waits."""
        for _ in range(ATTEMPTS - 1):
            try:
                return self._once(write)
            except sa.exc.OperationalError as error:
                if "locked" not in str(error) and not error.connection_invalidated:
                    raise
        return self._once(write)

    def _once(self, write: Callable[[sa.Connection], None]) -> None:
        with self.engine.begin() as connection:
            write(connection)


def recorded(engine: sa.Engine, loop: str) -> StreamState | None:
    """Where a loop stands, by reading alone; None in a database that no loop has used.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        The database cannot be used.
    """
    with reading(engine) as connection:
        if not all(map(sa.inspect(connection).has_table, METADATA.tables)):
            return None
        return _state(connection, loop)


def _state(connection: sa.Connection, loop: str) -> StreamState:
    def of(table: sa.Table) -> list[dict[str, Any]]:
        found = connection.execute(sa.select(table).where(table.c.loop == loop))
        rows = [dict(row) for row in found.mappings()]
        return [{k: v for k, v in row.items() if k != "loop"} for row in rows]

    loops, sources, views, faults, steps = map(of, (LOOPS, SOURCES, VIEWS, FAULTS, LEARNED))
    learned = defaultdict(list)
    for row in sorted(steps, key=lambda row: row["step"]):
        learned[row["view"]].append((row["step"], row["windows"]))
    one: dict[str, Any] = loops[0] if loops else {"step": 0, "committed": None, "intent": None}
    return StreamState(
        one["step"],
        one["committed"],
        _intent(one["intent"]),
        {row["source"]: SourceState(**row) for row in sources},
        {row["view"]: ViewState(**row) for row in views},
        {row["source"]: row for row in faults},
        dict(learned),
    )


def _intent(row: dict[str, Any] | None) -> Intent | None:
    if row is None:
        return None
    models = {view: Adoption(**model) for view, model in row["models"].items()}
    # Before there were cases an intent had none.
    cases = {view: [Case(**one) for one in some] for view, some in row.get("cases", {}).items()}
    at = datetime.fromisoformat(row["now"])
    return Intent(**row | {"now": at, "models": models, "cases": cases})
