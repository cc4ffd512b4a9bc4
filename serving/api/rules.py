"""Rules: listed with where entities stand in them, tried against history before they are made."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import Any

import polars as pl
import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from features.catalogue import VIEWS
from features.view import FeatureView
from pipeline.database import reading
from pipeline.lake import LakeError
from serving.api.matrices import wrong
from serving.api.problems import ProblemError
from serving.api.shared import At, House, Store, Time
from serving.auth import Operator, Viewer
from serving.rules.book import RuleBook
from serving.rules.hold import named_by
from serving.rules.rule import Ladder, Pack
from serving.store.tables import memory

__all__ = ["router"]

router = APIRouter(prefix="/v1/rules", tags=["rules"])

LONGEST = timedelta(days=31)
STEP = timedelta(days=1)
MOST_WINDOWS = 2_000_000
MOST_SHOWN = 100
EXAMPLE: dict[str, Any] = {
    "ladder": {
        "family": "host.cpu",
        "title": "CPU",
        "view": "system.host_1m",
        "feature": "cpu_max",
        "operator": ">",
        "summary": "",
        "rungs": [
            {
                "id": "host.cpu.high",
                "limit": 85,
                "severity": "high",
                "hit": [[{"cpu_max": 86}]],
                "miss": [[{"cpu_max": 85}]],
            }
        ],
    }
}


class Trial(BaseModel):
    """A ladder, and the history to try it on: by default the last day."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    ladder: Ladder
    since: Time | None = None
    until: Time | None = None


class Tried(BaseModel):
    """What would have been breached; a run of windows of one entity and rung is one breach."""

    since: Time
    until: Time
    windows: int = Field(description="How many were judged.")
    complete: bool = Field(description="False where there were too many to judge them all.")
    breaches: dict[str, int] = Field(description="By rung.")
    first: list[dict[str, Any]] = Field(description=f"The first {MOST_SHOWN}.")


@router.get("")
def list_rules(house: House, store: Store, who: Viewer) -> dict[str, Any]:
    """All packs, and for each rung the entities that breach it or are about to."""
    with reading(store) as connection:
        wanted = sa.select(memory.c.key, memory.c.state).where(memory.c.part == "rules")
        kept = connection.execute(wanted).all()
    standing: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for key, state in kept:
        rung, entity = named_by(key, state)
        since = state.get("since")
        if not since and not state["bits"]:
            # What an objective has counted of a service that keeps it.
            continue
        standing[rung].append(
            {"entity": entity, "state": "breached" if since else "pending", "since": since}
        )
    packs = [pack.model_dump(mode="json", by_alias=True) for pack in house.packs]
    return {"packs": packs, "standing": standing}


@router.post("/test")
def test_rule(given: Trial, house: House, who: Operator, now: At) -> Tried:
    """Judge the lake's windows by a ladder, and say what it would have done; nothing is kept."""
    ladder, view = _checked(given.ladder), VIEWS[given.ladder.view]
    until = given.until or now
    since = given.since or until - STEP
    if not timedelta(0) < until - since <= LONGEST:
        raise wrong("since", since.isoformat(), f"up to {LONGEST.days} days before until")
    book = RuleBook([Pack(pack="trial", about="", ladders=[ladder])])
    counted: dict[str, int] = {rung.id: 0 for rung in ladder.rungs}
    first: list[dict[str, Any]] = []
    judged, at, breached = 0, since, set[tuple[str, str, Any]]()
    names = {ladder.feature, *(also.feature for also in ladder.also)}
    while at < until and judged < MOST_WINDOWS:
        end = min(at + STEP, until)
        windows = _windows(house, view, at, end, sorted(names))
        judged, at = judged + len(windows), end
        for breach in book.breaches(view.name, windows):
            episode = (breach.rule, breach.entity, breach.since)
            if breach.pending or episode in breached:
                continue
            breached.add(episode)
            counted[breach.rule] += 1
            if len(first) < MOST_SHOWN:
                shown = {"entity": breach.entity, "rule": breach.rule, "value": breach.value}
                first.append({**shown, "start": breach.start, "severity": breach.severity.value})
    return Tried(
        since=since,
        until=until,
        windows=judged,
        complete=at >= until,
        breaches=counted,
        first=first,
    )


def _checked(ladder: Ladder) -> Ladder:
    view = VIEWS.get(ladder.view)
    if view is None:
        raise wrong("ladder.view", ladder.view, f"one of {', '.join(VIEWS)}")
    for name in (ladder.feature, *(also.feature for also in ladder.also)):
        if name not in view.names:
            raise wrong("ladder.feature", name, f"one of {', '.join(view.names)}")
    # Sentences are templates, and a template from outside is not filled in.
    rungs = [rung.model_copy(update={"summary": "", "runbook": ""}) for rung in ladder.rungs]
    return ladder.model_copy(update={"summary": "", "runbook": "", "rungs": rungs})


def _windows(
    house: Any, view: FeatureView, since: Any, until: Any, names: list[str]
) -> pl.DataFrame:
    try:
        if view.name not in house.lake.views():
            return pl.DataFrame(schema=dict(view.schema))
        found: pl.DataFrame = house.lake.windows(view.name, since, until, columns=names)
        return found
    except LakeError as error:
        raise ProblemError(503, "Lake unreadable", str(error)) from error
