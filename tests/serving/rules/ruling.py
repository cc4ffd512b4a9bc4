"""Packs, windows and breaches for tests of rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from features.catalogue import VIEWS
from serving.rules.breach import Breach
from serving.rules.rule import Correlation, Ladder, Objective, Pack
from serving.severity import Severity

START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOST = "system.host_1m"


def rung(name: str, limit: float, **more: Any) -> dict[str, Any]:
    case = [[{"memory_max": 1}]]
    return {"id": name, "limit": limit, "severity": "high", "hit": case, "miss": case, **more}


def ladder(*rungs: dict[str, Any], **more: Any) -> Ladder:
    given = {
        "family": "host.memory",
        "title": "Memory",
        "view": HOST,
        "feature": "memory_max",
        "operator": ">",
        "summary": "{entity} {value} {limit} {unit}",
        "rungs": list(rungs) or [rung("host.memory.high", 85)],
    }
    return Ladder.model_validate(given | more)


def objective(**more: Any) -> Objective:
    rate = {"limit": 14.4, "long": "1h", "short": "5m", "severity": "high"}
    case = [[{"availability": 1}]]
    given = {
        "family": "service.availability",
        "title": "Availability",
        "view": "system.service_1m",
        "feature": "availability",
        "weight": "samples",
        "objective": 99.9,
        "summary": "{entity} {value:.1f}",
        "rungs": [{"id": "service.availability.page", "hit": case, "miss": case, **rate}],
    }
    return Objective.model_validate(given | more)


def correlation(kind: str, *rules: str, **more: Any) -> Correlation:
    happening = [{"at": "1m", "rule": "a.a"}]
    given = {
        "id": "story.told",
        "title": "Story",
        "kind": kind,
        "rules": list(rules),
        "severity": "critical",
        "summary": "{entity} {value:.0f} {within}",
        "hit": [happening],
        "miss": [happening],
    }
    return Correlation.model_validate(given | more)


def pack(*parts: Ladder | Objective | Correlation) -> Pack:
    kinds: dict[str, list[Any]] = {"ladders": [], "objectives": [], "correlations": []}
    for part in parts:
        kinds[f"{type(part).__name__.lower()}s"].append(part)
    return Pack(pack="test", about="", **kinds)


def windows(
    values: Sequence[dict[str, Any]], *, view: str = HOST, first: datetime = START
) -> pl.DataFrame:
    """One step of time for each dictionary of entities' values, or features by entity."""
    every, rows = VIEWS[view].every, []
    for number, entities in enumerate(values):
        for entity, value in sorted(entities.items()):
            start = first + number * every
            told = value if isinstance(value, dict) else {"memory_max": value}
            rows.append({"entity": entity, "start": start, "end": start + every, **told})
    return pl.DataFrame(rows, schema=dict(VIEWS[view].schema))


def breach(
    rule: str, minute: float, entity: str = "one", *, length: timedelta = MINUTE, **more: Any
) -> Breach:
    """A breach whose window ends so many minutes after the beginning."""
    end = START + minute * MINUTE
    fields: dict[str, Any] = {
        "rule": rule, "requirement": "", "view": HOST, "entity": entity, "start": end - length,
        "end": end, "since": end, "feature": "x", "operator": ">=", "limit": 1.0, "unit": "",
        "value": 1.0, "severity": Severity.INFO, "family": rule.rsplit(".", 1)[0], "summary": rule,
        "labels": {"host": entity},
    }  # fmt: skip
    return Breach(**(fields | more))
