"""The tables of the checkpoint: where loops, sources and views stand, what fails, what was learned.

The tables are made where they are missing, so a new one needs no migration; a new column does.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from pipeline.database import UtcTime

__all__ = ["FAULTS", "LEARNED", "LOOPS", "METADATA", "SOURCES", "VIEWS"]

METADATA = sa.MetaData()


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(200), primary_key=True)


def _text(name: str) -> sa.Column[str | None]:
    return sa.Column(name, sa.Text, nullable=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _time(name: str) -> sa.Column[datetime | None]:
    return sa.Column(name, UtcTime, nullable=True)


LOOPS = sa.Table(
    "loop",
    METADATA,
    _key("loop"),
    _count("step"),
    sa.Column("intent", sa.JSON(none_as_null=True), nullable=True),
    _time("committed"),
)
SOURCES = sa.Table(
    "loop_sources",
    METADATA,
    _key("loop"),
    _key("source"),
    _text("stream"),
    sa.Column("position", sa.JSON(none_as_null=True), nullable=True),
    *(_count(name) for name in ("given", "refused", "future")),
    _time("newest"),
    sa.Column("held", sa.LargeBinary, nullable=True),
)
VIEWS = sa.Table(
    "loop_views",
    METADATA,
    _key("loop"),
    _key("view"),
    sa.Column("pending", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.LargeBinary, nullable=False),
    *(_time(name) for name in ("newest", "closed_until", "last_arrival")),
    *(_text(name) for name in ("scorer", "model", "state", "detail")),
    *(_count(name) for name in ("accepted", "late", "windows")),
)
LEARNED = sa.Table(
    "loop_learned",
    METADATA,
    _key("loop"),
    _key("view"),
    sa.Column("step", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("windows", sa.LargeBinary, nullable=False),
)
"""Windows that a view's scorer learned in the steps since its file was written."""
FAULTS = sa.Table(
    "loop_faults",
    METADATA,
    _key("loop"),
    _key("source"),
    _text("error"),
    _count("failures"),
    _time("since"),
    _time("retry_at"),
)
