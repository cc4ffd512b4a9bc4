"""How rare a window must be to be told: alert budgets, history, and what people said of alerts.

A budget is how many alerts a day a view may raise that only learned arms see. Verdicts of noise on
such alerts take a part of it away, never more than three quarters, and give it back when they are
a fortnight old; nothing makes it more than was set. Rules are not touched by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from features.catalogue import VIEWS
from models.budget import AlertBudget, worth
from pipeline.database import open_engine, reading, upsert
from pipeline.doctor import Finding
from pipeline.lake import Lake
from pipeline.scoring.thresholds import HISTORY, alert_budget
from serving.store.audit import head, record
from serving.store.tables import alerts, memory
from serving.verdict import RARE

__all__ = ["ALERTS_PER_DAY", "Bar", "Thresholds", "bars_of", "examine_bars"]

ALERTS_PER_DAY = 1.0
"""The budget of a view for which none was set."""

PART = "thresholds"
EVERY = timedelta(hours=1)
"""Verdicts grow old: so often what they say is counted again, beside each time when one came."""
FRESH = timedelta(days=1)
"""How many alerts follow from which level is measured again after this long."""


@dataclass(frozen=True)
class Bar:
    """How rare a view's windows must be.

    Parameters
    ----------
    budget : float
        Alerts a day that were set.
    real, noise : int
        What people said of its learned alerts of the last fortnight.
    worth : float
        The share of the budget that this leaves, 0.25 to 1.
    level : float
        Windows that normal life brings less often, 1/day, are told.
    """

    budget: float
    real: int
    noise: int
    worth: float
    level: float


class Thresholds:
    """The bars of all views.

    Parameters
    ----------
    lake : Lake
        Its last fortnight says how many alerts follow from which level; measured again each day,
        for models, and what they watch, change.
    budgets : mapping of str to float
        By view, alerts a day; `ALERTS_PER_DAY` where there is none.
    until : datetime
        End of the history that is measured first, aware UTC.
    """

    def __init__(self, lake: Lake, budgets: Mapping[str, float], *, until: datetime) -> None:
        self._budgets = dict.fromkeys(VIEWS, ALERTS_PER_DAY) | dict(budgets)
        self._lake = lake
        self._measured: dict[str, tuple[datetime, AlertBudget]] = {
            view: (until, alert_budget(view, lake, until=until)) for view in self._budgets
        }
        self._heard: tuple[int, datetime] | None = None

    def bars(self, connection: sa.Connection, *, now: datetime) -> dict[str, Bar]:
        """The bar of each view by the verdicts of the fortnight before ``now``."""
        judged = alerts.c.family == RARE, alerts.c.verdict != "", alerts.c.opened_at > now - HISTORY
        both = alerts.c.view, alerts.c.verdict
        said = sa.select(*both, sa.func.count()).where(*judged).group_by(*both)
        counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for view, verdict, count in connection.execute(said):
            counts[view][verdict == "noise"] += count
        return {
            view: self._bar(view, budget, *counts[view]) for view, budget in self._budgets.items()
        }

    def hear(self, connection: sa.Connection, *, now: datetime) -> dict[str, float] | None:
        """The levels by view, where verdicts or time may have moved them since the last call.

        What moved is kept for people to see, and is in the audit chain where verdicts moved it.
        """
        measured, number = self._measure(now), head(connection)[0]
        heard = self._heard and self._heard[0] == number and now - self._heard[1] < EVERY
        if heard and not measured:
            return None
        self._heard = number, now
        known, bars = bars_of(connection), self.bars(connection, now=now)
        moved = {view: bar for view, bar in bars.items() if bar != known.get(view)}
        for view, bar in moved.items():
            before = known.get(view)
            if bar.worth != (before.worth if before else 1.0):
                detail = {"to": asdict(bar), "from": asdict(before) if before else None}
                move = "threshold.move"
                record(connection, who="tocsin", what=move, subject=view, detail=detail, now=now)
        rows = [{"part": PART, "key": view, "state": asdict(bar)} for view, bar in moved.items()]
        upsert(connection, memory, rows)
        return {view: bar.level for view, bar in bars.items()}

    def _measure(self, now: datetime) -> bool:
        """Measure the view again that is longest due, one a call; whether one was."""
        view = min(self._measured, key=lambda name: self._measured[name][0])
        if now - self._measured[view][0] < FRESH:
            return False
        self._measured[view] = now, alert_budget(view, self._lake, until=now)
        return True

    def _bar(self, view: str, budget: float, real: int, noise: int) -> Bar:
        left = worth(real, noise)
        return Bar(budget, real, noise, left, self._measured[view][1].threshold(budget * left))


def bars_of(connection: sa.Connection) -> dict[str, Bar]:
    """The bars as the stream's alert engine last kept them, by view."""
    kept = sa.select(memory.c.key, memory.c.state).where(memory.c.part == PART)
    return {view: Bar(**state) for view, state in connection.execute(kept)}


def examine_bars(url: str) -> list[Finding]:
    """For `tocsin doctor`: the views whose budget people's verdicts have cut, in a store.

    A store without tables of alerts has none.
    """
    engine = open_engine(url)
    try:
        with reading(engine) as connection:
            kept = sa.inspect(connection).has_table(memory.name)
            found = bars_of(connection) if kept else {}
    except sa.exc.DatabaseError as error:
        return [Finding("thresholds", "broken", str(error.orig))]
    finally:
        engine.dispose()
    cut = "noise leaves {worth:.0%} of {budget:g} alerts a day: told below {level:.3g} a day"
    return [
        Finding(f"threshold {view}", "ok", cut.format_map(vars(bar)))
        for view, bar in sorted(found.items())
        if bar.worth < 1
    ]
