"""What alerts and verdicts say to the guards of scorers: whose windows wait, and what of them.

While an incident is open, the windows of the entities that its alerts name are held back. A
verdict of noise lets all of them be learned; any other lets none be learned once the incident is
over. Where nobody has said anything an hour after its end, they are learned like any others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.scoring.scorer import EPOCH, MICROSECOND
from pipeline.stream.cases import Case, Held
from serving.rules.correlate import CORRELATION
from serving.store.tables import alerts, incidents

__all__ = ["LATER", "cases"]

LATER = timedelta(hours=1)
"""How long after its end an incident's windows wait for a verdict."""

NOISE = "noise"

Row = sa.RowMapping
Key = tuple[str, str]


def cases(connection: sa.Connection, held: Held, *, now: datetime) -> dict[str, list[Case]]:
    """What scorers must be told so that they hold what is open, and nothing else.

    Parameters
    ----------
    held : mapping
        What they hold now, of each view whose scorer is warm.
    now : datetime
        Aware UTC.
    """
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in _told(connection, held):
        for view, entity in _named(row, held):
            found[view, entity].append(row)
    changed: dict[str, list[Case]] = defaultdict(list)
    keys = {(view, entity) for view, some in held.items() for entity in some}
    for view, entity in sorted(keys | found.keys()):
        case = _case(entity, held[view].get(entity), found[view, entity], now)
        if case is not None:
            changed[view].append(case)
    return dict(changed)


def _told(connection: sa.Connection, held: Held) -> Iterator[Row]:
    """Alerts of open incidents, and of incidents of entities that are held."""
    columns = [alerts.c[name] for name in ("id", "view", "entity", "start", "verdict", "labels")]
    when = [alerts.c.last_seen, incidents.c.state, incidents.c.resolved_at]
    joined = sa.select(*columns, *when).join(incidents, incidents.c.id == alerts.c.incident)
    entities = sorted({entity for some in held.values() for entity in some})
    # Two questions, each answered by an index.
    rows = {
        row["id"]: row
        for wanted in (incidents.c.state == "open", alerts.c.entity.in_(entities))
        for row in connection.execute(joined.where(wanted)).mappings()
    }
    yield from rows.values()


def _named(row: Row, held: Held) -> Iterator[Key]:
    """The windows that an alert is about; a correlation is about those that its labels name."""
    if row["view"] in held:
        yield row["view"], row["entity"]
    elif row["view"] == CORRELATION:
        for view in held:
            columns = VIEWS[view].entity
            if set(columns) <= row["labels"].keys():
                yield view, "|".join(row["labels"][name] for name in columns)


def _case(entity: str, since: int | None, rows: Sequence[Row], now: datetime) -> Case | None:
    """What to say of an entity; None where nothing has changed."""
    if since is None:
        waiting = [row["start"] for row in rows if _waits(row, now)]
        return Case(entity, (min(waiting) - EPOCH) // MICROSECOND) if waiting else None
    about = [row for row in rows if (row["last_seen"] - EPOCH) // MICROSECOND >= since]
    if any(_waits(row, now) for row in about):
        return None
    said = {row["verdict"] for row in about} - {""}
    return Case(entity, real=bool(said - {NOISE}) if said else None)


def _waits(row: Row, now: datetime) -> bool:
    """Whether it is not known yet what to do with the windows of an alert."""
    if row["state"] == "open":
        return bool(row["verdict"] != NOISE)
    unsaid = not row["verdict"] and row["resolved_at"] is not None
    return unsaid and bool(now < row["resolved_at"] + LATER)
