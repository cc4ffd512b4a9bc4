"""Dashboards: panels as data, in `serving/web/panels.json` and in ``panels.json`` of the home."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from features.catalogue import VIEWS
from pipeline.database import reading
from serving.alerts.lifecycle import OPEN
from serving.alerts.risk import in_words, read_risk
from serving.api.alerts import URGENCY
from serving.api.compliance import compliance
from serving.api.lake import HISTORY, banded, points_of, read, scored
from serving.api.problems import ProblemError
from serving.api.shared import At, House
from serving.api.windows import lanes_of
from serving.auth import Viewer
from serving.store.tables import alerts

__all__ = ["BUILT_IN", "Dashboard", "Panel", "load_dashboards", "router"]

router = APIRouter(prefix="/v1/dashboards", tags=["dashboards"])

BUILT_IN = Path(__file__).parents[1] / "web" / "panels.json"
"""The dashboards that come with the house."""

POINTS, ROWS, BUCKETS = 240, 12, 36


class Strict(BaseModel):
    """A word that is not known is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Panel(Strict):
    """One panel.

    Parameters
    ----------
    kind : {"series", "table", "lanes", "alerts", "risk", "compliance"}
        One feature of all entities over time; the newest window of each entity; the rarest
        moments of entities; open alerts; entities at risk; how rules of the house are kept.
    view, feature, features : str, str, list of str
        What is shown of which windows.
    over : str
        How the entities of a moment become one number.
    views : list of str
        Of alerts: what the view's name begins with.
    limit : float, optional
        A line to draw.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(max_length=100)
    kind: Literal["series", "table", "lanes", "alerts", "risk", "compliance"]
    requirement: str = ""
    wide: bool = False
    view: str = ""
    feature: str = ""
    features: list[str] = []
    over: Literal["sum", "mean", "max", "min", "entities"] = "sum"
    unit: str = ""
    limit: float | None = None
    sort: str = ""
    views: list[str] = []

    @model_validator(mode="after")
    def _exists(self) -> Panel:
        if self.kind not in ("series", "table", "lanes"):
            return self
        if self.view not in VIEWS:
            raise ValueError(f"panel {self.id}: no view {self.view!r}")
        names = VIEWS[self.view].names
        wanted = [self.feature] if self.kind == "series" else [*self.features, self.sort]
        if unknown := [
            one for one in wanted if one not in names and (one or self.kind == "series")
        ]:
            raise ValueError(f"panel {self.id}: {self.view} has no feature {unknown[0]!r}")
        return self


class Dashboard(Strict):
    """Panels that are looked at together, over the last minutes."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(max_length=100)
    minutes: int = Field(180, ge=5, le=31 * 24 * 60)
    panels: list[Panel] = Field(min_length=1, max_length=24)


class Shown(BaseModel):
    """A dashboard with what its panels show."""

    id: str
    title: str
    boards: list[dict[str, str]] = Field(description="Id and title of every dashboard.")
    since: datetime
    until: datetime
    panels: list[dict[str, Any]] = Field(description="Each panel's configuration and its `data`.")


def load_dashboards(home: Path) -> dict[str, Dashboard]:
    """All dashboards by id; those of the home are added, and replace by id.

    Raises
    ------
    ProblemError
        503 where the home's file is not what it should be, with what is wrong in it.
    """
    found: dict[str, Dashboard] = {}
    for file in (BUILT_IN, home / "panels.json"):
        if not file.is_file():
            continue
        try:
            given = TypeAdapter(list[Dashboard]).validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            said = f"{file.name}: {where}: {first['msg']}"
            raise ProblemError(503, "Dashboards unreadable", said) from error
        found |= {one.id: one for one in given}
    return found


@router.get("")
def list_dashboards(house: House, who: Viewer) -> list[Dashboard]:
    """Every dashboard, without data."""
    return list(load_dashboards(house.config.home).values())


@router.get("/{dashboard}")
def show_dashboard(
    dashboard: Annotated[str, "Its id."], house: House, who: Viewer, now: At
) -> Shown:
    """One dashboard with what its panels show now."""
    boards = load_dashboards(house.config.home)
    found = boards.get(dashboard)
    if found is None:
        raise ProblemError(404, "Not found", f"no dashboard {dashboard}")
    since = now - timedelta(minutes=found.minutes)
    panels = [
        {**panel.model_dump(), "data": _DATA[panel.kind](house, panel, since, now)}
        for panel in found.panels
    ]
    named = [{"id": one.id, "title": one.title} for one in boards.values()]
    return Shown(
        id=found.id, title=found.title, boards=named, since=since, until=now, panels=panels
    )


def _series(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    view, name = VIEWS[panel.view], panel.feature
    rows = read(house, view.name, since - HISTORY * view.every, now, [name])
    column = pl.col(name).fill_nan(None)
    one = {
        "sum": column.sum(),
        "mean": column.mean(),
        "max": column.max(),
        "min": column.min(),
        "entities": pl.len().cast(pl.Float64),
    }[panel.over]
    each = rows.group_by("start").agg(one.alias(name)).sort("start")
    rarest = scored(house, view.name, since, now).group_by("start").agg(pl.col("per_day").min())
    table = banded(each, [name]).filter(pl.col("start") >= since)
    table = table.join(rarest, on="start", how="left").sort("start")
    points = points_of(table, [name], POINTS)
    about = next(feature for feature in view.features if feature.name == name)
    budget = house.settings.budgets.get(view.name, 1.0)
    return {
        "unit": panel.unit or about.unit,
        "seconds": view.every.total_seconds(),
        "at": points["start"].dt.epoch("ms").to_list(),
        "value": _plain(points[name]),
        "low": _plain(points[f"{name}__low"]),
        "high": _plain(points[f"{name}__high"]),
        "rare": [rate is not None and rate <= budget for rate in points["per_day"]],
    }


def _table(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    view = VIEWS[panel.view]
    rows = read(house, view.name, since, now, panel.features).sort("start")
    newest = rows.group_by("entity", maintain_order=True).last()
    order = panel.sort or "entity"
    shown = newest.sort(order, "entity", descending=[bool(panel.sort), False], nulls_last=True)
    units = {feature.name: feature.unit for feature in view.features}
    worst: dict[str, str] = {}
    wanted = sa.select(alerts.c.entity, alerts.c.severity).where(
        alerts.c.view == view.name, alerts.c.state.in_(OPEN)
    )
    with reading(house.engine) as connection:
        for entity, severity in connection.execute(wanted):
            worst[entity] = max(worst.get(entity, ""), severity, key=_RANK.index)
    found = []
    for row in shown.head(ROWS).iter_rows(named=True):
        late = now - row["end"] > 5 * view.every
        # A machine is expected to be heard of; a person is not.
        gone = "no data" if view.name.startswith("system.") else "quiet"
        state = gone if late else worst.get(row["entity"], "ok")
        values = [None if row[name] is None else float(row[name]) for name in panel.features]
        found.append(
            {"entity": row["entity"], "state": state, "seen": row["end"], "values": values}
        )
    columns = [{"name": name, "unit": units[name]} for name in panel.features]
    return {"columns": columns, "rows": found, "entities": len(newest)}


def _lanes(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    shown = lanes_of(house, VIEWS[panel.view], since, now, lanes=8, buckets=BUCKETS)
    return shown.model_dump(include={"at", "lanes", "entities"})


def _alerts(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    wanted = sa.select(alerts).where(alerts.c.state.in_(OPEN[1:]))
    if panel.views:
        wanted = wanted.where(sa.or_(*(alerts.c.view.startswith(one) for one in panel.views)))
    first = wanted.order_by(URGENCY.desc(), alerts.c.opened_at.desc(), alerts.c.id).limit(ROWS)
    with reading(house.engine) as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(wanted.subquery()))
        rows = [dict(row) for row in connection.execute(first).mappings()]
        total = int(count.scalar_one())
    return {"count": total, "items": [{k: row[k] for k in _ALERT} for row in rows]}


def _risk(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    with reading(house.engine) as connection:
        book = read_risk(connection)
    rows = [
        {
            "entity": risk.entity,
            "risk": round(risk.value, 1),
            "why": in_words(risk.contributions[0]),
        }
        for risk in book.riskiest(now, 8)
    ]
    return {"rows": rows}


def _compliance(house: Any, panel: Panel, since: datetime, now: datetime) -> dict[str, Any]:
    return {"rows": compliance(house, now)}


def _plain(values: pl.Series) -> list[float | None]:
    return values.fill_nan(None).round_sig_figs(6).to_list()


_RANK = ["", "info", "low", "medium", "high", "critical"]
_ALERT = (
    "id", "incident", "view", "entity", "severity", "state", "title", "why", "opened_at",
    "last_seen", "risk", "per_day", "arms", "suppressed", "snoozed_until", "verdict",
)  # fmt: skip
_DATA: dict[str, Callable[[Any, Panel, datetime, datetime], dict[str, Any]]] = {
    "series": _series,
    "table": _table,
    "lanes": _lanes,
    "alerts": _alerts,
    "risk": _risk,
    "compliance": _compliance,
}
