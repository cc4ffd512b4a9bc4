"""What there is: views with their features, models and how they stand, entities and their risk."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from features.catalogue import VIEWS
from features.view import FeatureView
from models.risk import Risk, RiskBook
from pipeline.database import reading
from serving.alerts.lifecycle import State
from serving.alerts.risk import read_risk
from serving.alerts.thresholds import Bar, bars_of
from serving.api.problems import ProblemError
from serving.api.shared import At, House, Store
from serving.auth import Viewer
from serving.store.tables import alerts

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["catalogue"])


class FeatureOut(BaseModel):
    """One number of a window."""

    name: str
    unit: str
    direction: Literal["high", "low", "both"]
    scale: Literal["level", "ratio"]
    definition: str
    source: str


class ViewOut(BaseModel):
    """One kind of window."""

    name: str
    stream: str
    entity: list[str]
    seconds: float = Field(description="Length of its windows.")
    features: list[FeatureOut]


class ModelOut(BaseModel):
    """What scores a view for requests, and how that stands."""

    view: str
    model: str
    state: str
    detail: str
    warm: bool
    arms: list[str]
    budget: float | None = Field(description="Alerts a day that only learned arms may raise.")
    real: int = Field(description="Of those of the last fortnight, so many were judged real,")
    noise: int = Field(description="and so many noise, which takes from the budget.")
    worth: float = Field(description="The share of the budget that this leaves, 0.25 to 1.")
    threshold: float | None = Field(
        description="Windows that normal life brings less often, 1/day, are told; null while "
        "no stream has run."
    )


@router.get("/views")
async def list_views(who: Viewer) -> list[ViewOut]:
    """Every view with its features."""
    return [_view(view) for view in VIEWS.values()]


@router.get("/views/{view}")
async def show_view(view: str, who: Viewer) -> ViewOut:
    """One view."""
    if view not in VIEWS:
        raise ProblemError(404, "Not found", f"no view {view}")
    return _view(VIEWS[view])


@router.get("/models")
def list_models(house: House, who: Viewer) -> list[ModelOut]:
    """The model of each view, and how rare a window must be to be told.

    A state of `degraded: thresholds only` is one where nothing can score.
    """
    with reading(house.engine) as connection:
        bars = bars_of(connection)
    return [
        ModelOut(
            view=served.view.name,
            model=served.model,
            state=served.state,
            detail=served.detail,
            warm=served.scorer is not None and served.scorer.warm,
            arms=[arm.name for arm in served.scorer.arms] if served.scorer else [],
            **_bar(bars.get(served.view.name)),
        )
        for served in house.scorers
    ]


@router.get("/entities")
def list_entities(
    store: Store,
    who: Viewer,
    now: At,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> list[dict[str, Any]]:
    """The entities at risk, the riskiest first."""
    return [_risk(risk) for risk in _book(store).riskiest(now, limit)]


@router.get("/entities/{entity:path}")
def show_entity(entity: str, store: Store, who: Viewer, now: At) -> dict[str, Any]:
    """An entity's risk, what made it and along which links, and its open alerts."""
    open_alerts = sa.select(alerts).where(
        alerts.c.entity == entity, alerts.c.state != State.RESOLVED
    )
    with reading(store) as connection:
        found = [dict(row) for row in connection.execute(open_alerts.limit(100)).mappings()]
    return {**_risk(_book(store).risk(entity, now)), "alerts": found}


def _book(store: sa.Engine) -> RiskBook:
    with reading(store) as connection:
        return read_risk(connection)


def _bar(bar: Bar | None) -> dict[str, Any]:
    if bar is None:
        return {"budget": None, "real": 0, "noise": 0, "worth": 1.0, "threshold": None}
    told = asdict(bar)
    return {**told, "threshold": told.pop("level")}


def _risk(risk: Risk) -> dict[str, Any]:
    parts = [dict(part.__dict__) for part in risk.contributions]
    return {"entity": risk.entity, "risk": risk.value, "contributions": parts}


def _view(view: FeatureView) -> ViewOut:
    features = [
        FeatureOut(
            name=one.name,
            unit=one.unit,
            direction=one.direction,
            scale=one.scale,
            definition=one.definition,
            source=one.source,
        )
        for one in view.features
    ]
    return ViewOut(
        name=view.name,
        stream=view.stream.name,
        entity=list(view.entity),
        seconds=view.every.total_seconds(),
        features=features,
    )
