"""Starts a run: the playbook as it is now, its parameters filled from the alert, its steps due."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.database import upsert
from serving.playbooks.definition import Playbook, Step
from serving.playbooks.rows import FRESH
from serving.store.audit import record
from serving.store.tables import changes, run_steps, runs

__all__ = ["Mode", "fill", "run_id", "start"]

Mode = Literal["live", "dry_run", "shadow", "drill"]


def run_id(playbook: str, incident: str, given: Mapping[str, Any]) -> str:
    """One run of a playbook for each thing that an incident is about, however often it starts.

    Parameters
    ----------
    given : mapping of str to object
        The playbook's own parameters, filled: the contract, the account, the feed.
    """
    about = json.dumps(given, sort_keys=True, default=str)
    return hashlib.sha256(f"{playbook}\x1f{incident}\x1f{about}".encode()).hexdigest()[:32]


def start(
    connection: sa.Connection,
    playbook: Playbook,
    incident: Mapping[str, Any],
    alert: Mapping[str, Any],
    *,
    mode: Mode = "live",
    who: str = "tocsin",
    now: datetime,
) -> str:
    """Insert a run and its steps, in the caller's transaction; one that is there is left as it is.

    An incident has a run for each thing that its alerts name: what contains one vault contains no
    other.

    Returns
    -------
    str
        Id of the run.
    """
    view = VIEWS.get(alert.get("view", ""))
    columns = view.entity if view else ()
    known = {
        **(alert["evidence"].get("window") or {}),
        **dict(zip(columns, str(alert["entity"]).split("|"), strict=False)),
        **alert["labels"],
        "entity": alert["entity"],
        "incident": incident["id"],
        "severity": alert["severity"],
        "title": alert["title"],
        "why": alert["why"],
        "started": f"{now:%H:%M UTC}",
    }
    given = {name: fill(value, known) for name, value in playbook.parameters.items()}
    run = run_id(playbook.playbook, str(incident["id"]), given)
    if connection.execute(sa.select(runs.c.id).where(runs.c.id == run)).first():
        return run
    mode = "shadow" if playbook.shadow and mode == "live" else mode
    connection.execute(
        runs.insert().values(
            id=run,
            playbook=playbook.playbook,
            incident=incident["id"],
            state="running",
            mode=mode,
            started_at=now,
            ended_at=None,
            exact=bool(alert["evidence"].get("exact")),
            parameters={**known, **given},
            definition=playbook.model_dump(mode="json", by_alias=True),
        )
    )
    rows: list[dict[str, Any]] = [
        {
            **FRESH,
            "run": run,
            "step": step.id,
            "position": position,
            "due_at": now + phase.at if phase.at is not None else now,
            **_not_needed(step, given, now),
        }
        for position, (phase, step) in enumerate(playbook.steps)
    ]
    upsert(connection, run_steps, rows)
    shown = {"playbook": playbook.playbook, "mode": mode, "incident": incident["id"]}
    connection.execute(changes.insert().values(at=now, kind="run", subject=run, fields=shown))
    record(connection, who=who, what="run.started", subject=run, detail=shown, now=now)
    return run


def _not_needed(step: Step, given: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    missing = [name for name in step.needs if given[name] in ("", None)]
    if not missing:
        return {}
    why = f"not needed: the alert names no {' and no '.join(missing)}"
    return {"state": "skipped", "why": why, "ended_at": now}


def fill(value: Any, known: Mapping[str, Any]) -> Any:
    """Replace ``{name}`` in texts by what is known; ``{step.fact}`` by what a step found.

    A text that is one name alone becomes the value itself, whatever its type; inside a text a
    list is told one after another.

    >>> fill("halt {symbol}", {"symbol": "BTC"}), fill("{n}", {"n": 3}), fill("{gone}", {})
    ('halt BTC', 3, '')
    >>> fill("hit: {names}.", {"names": ["a", "b"]})
    'hit: a, b.'
    """
    if isinstance(value, dict):
        return {name: fill(inner, known) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, known) for inner in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    parts = value.split("{")
    if value.startswith("{") and value.endswith("}") and len(parts) == 2:
        return _look_up(value[1:-1], known)
    filled = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        found = _look_up(name, known)
        filled += f"{', '.join(map(str, found)) if isinstance(found, list) else found}{rest}"
    return filled


def _look_up(name: str, known: Mapping[str, Any]) -> Any:
    if name in known:
        return known[name]
    step, _, fact = name.partition(".")
    facts = known.get(step)
    return facts.get(fact, "") if isinstance(facts, Mapping) else ""
