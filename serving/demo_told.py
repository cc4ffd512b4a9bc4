"""What the demonstration tells: each alert as it fires, and what was found and missed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.database import reading
from serving.demo_cast import Act, Cast, Stage
from serving.rules.correlate import CORRELATION
from serving.severity import Severity
from serving.store.tables import alerts, runs

__all__ = ["Told", "result", "told_of"]

Row = Mapping[str, Any]
WORTH = [Severity.MEDIUM.value, Severity.HIGH.value, Severity.CRITICAL.value]
"""What counts as an alert in the result: what is milder is told on the pages only."""


@dataclass
class Told:
    """An alert that fired, or an incident that was told before, and what playbooks did about it.

    Parameters
    ----------
    incident : str
    alert : mapping or None
        Its row; None where only steps of an earlier alert's playbook ended.
    steps : list of mapping
        Rows of steps that ended, in order, each with its ``title`` and ``playbook``.
    truth : str
        Who is behind it, which detection does not know.
    """

    incident: str
    alert: Row | None = None
    steps: list[Row] = field(default_factory=list)
    truth: str = ""

    @property
    def json(self) -> dict[str, Any]:
        """As JSON values."""
        told = {name: (self.alert or {}).get(name) for name in _SHOWN}
        return {
            "incident": self.incident,
            "alert": None
            if self.alert is None
            else told | {n: self.alert[n].isoformat() for n in ("start", "fired_at")},
            "steps": [
                {name: row[name] for name in ("playbook", "step", "title", "state")}
                for row in self.steps
            ],
            "truth": self.truth,
        }


_SHOWN = (
    "id", "view", "entity", "family", "severity", "title", "why", "first_step", "risk", "per_day",
    "arms", "playbook", "suppressed",
)  # fmt: skip


def told_of(
    every: Sequence[Row], fresh: Collection[str], steps: Sequence[Row], cast: Cast
) -> list[Told]:
    """What fired and what was done, each step with the latest alert of its incident.

    Parameters
    ----------
    every : sequence of mapping
        Alerts that ever fired, in order.
    fresh : collection of str
        Ids of those that are news.
    steps : sequence of mapping
        Steps that ended, with the playbook and its ``definition``.
    """
    told = [
        Told(row["incident"], row, truth=_truth(row, every, cast))
        for row in every
        if row["id"] in fresh
    ]
    latest = {one.incident: one for one in told}
    for row in steps:
        if row["incident"] not in latest:
            latest[row["incident"]] = Told(row["incident"])
            told.append(latest[row["incident"]])
        latest[row["incident"]].steps.append({**row, "title": _title(row)})
    return told


def result(engine: sa.Engine, cast: Cast, *, now: datetime) -> dict[str, Any]:
    """What was found of what was played, and what else was told, as JSON values."""
    with reading(engine) as connection:
        fired = sa.select(alerts).where(alerts.c.severity.in_(WORTH))
        ordered = connection.execute(fired.order_by(alerts.c.fired_at, alerts.c.id))
        every = [dict(row) for row in ordered.mappings() if row["fired_at"] is not None]
        started = sa.select(runs.c.incident, runs.c.playbook, runs.c.started_at)
        begun = [dict(row) for row in connection.execute(started).mappings()]
    mine: dict[str, list[tuple[Row, Stage]]] = {act.name: [] for act in cast.acts}
    others: list[Row] = []
    for row in every:
        if row["fired_at"] < cast.begin:
            continue
        found = _behind(row, every, cast)
        if found:
            mine[found[0].name].append((row, found[1]))
        else:
            others.append(row)
    return {
        "from": cast.begin.isoformat(),
        "until": now.isoformat(),
        "played": [_of_act(act, mine[act.name], begun) for act in cast.acts if act.start < now],
        "not_played": cast.not_played,
        "others": {"alerts": len(others), "pages": len(_pages(others))},
        "before": {"alerts": sum(row["fired_at"] < cast.begin for row in every)},
    }


def _of_act(
    act: Act,
    told: Sequence[tuple[Row, Stage]],
    begun: Sequence[Row],
) -> dict[str, Any]:
    rows = [row for row, _ in told]
    first, stage = told[0] if told else (None, None)
    ours = {row["incident"] for row in rows}
    return {
        "scenario": f"S{act.number}",
        "title": act.title,
        "kind": act.kind,
        "found": bool(rows),
        "stage": stage.name if stage else None,
        "delay": (first["fired_at"] - stage.start).total_seconds() if first and stage else None,
        "alerts": len(rows),
        "pages": len(_pages(rows)),
        # One that began before it was another's doing: its alerts only joined that incident.
        "playbooks": sorted(
            {
                run["playbook"]
                for run in begun
                if run["incident"] in ours and run["started_at"] >= act.start
            }
        ),
    }


def _pages(rows: Iterable[Row]) -> set[str]:
    """Incidents that woke somebody."""
    return {
        row["incident"]
        for row in rows
        if row["notified_at"] is not None and Severity(row["severity"]) >= Severity.HIGH
    }


def _title(row: Row) -> str:
    """Of a step, by the playbook as it was when the run began."""
    phases = row["definition"]["phases"]
    titles = {step["id"]: str(step["title"]) for phase in phases for step in phase["steps"]}
    return titles[row["step"]]


def _behind(row: Row, every: Iterable[Row], cast: Cast) -> tuple[Act, Stage] | None:
    """Who is behind an alert; behind a correlation, who is behind what fired nearest to it."""
    joined = [one for one in every if one["incident"] == row["incident"]]
    joined.sort(key=lambda one: abs(one["fired_at"] - row["fired_at"]))
    for one in (row, *(joined if row["view"] == CORRELATION else ())):
        if found := cast.whose(one["entity"], one["start"], one["fired_at"]):
            return found
    return None


def _truth(row: Row, every: Iterable[Row], cast: Cast) -> str:
    """Who is behind an alert, in words."""
    found = _behind(row, every, cast)
    if found is not None:
        act, stage = found
        after = (row["fired_at"] - stage.start).total_seconds()
        return f"{act.name} ({act.title}): {stage.name}, {after:,.0f} s after it began"
    stream = VIEWS[row["view"]].stream.name if row["view"] in VIEWS else ""
    near = [act.name for act in cast.beside(stream, row["start"], row["fired_at"])]
    told = "nobody who plays"
    return f"{told}, though {', '.join(near)} leaves traces in this stream" if near else told
