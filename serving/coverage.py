"""Which line of the seed is answered by what, and when each answer was last put to use."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa

from features.catalogue import VIEWS
from pipeline.database import reading
from pipeline.lake import Lake
from serving.alerts.routes import Route
from serving.playbooks.definition import Playbook
from serving.playbooks.grade import PART as DRILLS
from serving.rules.rule import Pack
from serving.store.tables import alerts, memory, outbox, run_steps, runs

__all__ = ["Answer", "answers", "coverage", "coverage_text", "requirements"]

HERE = Path(__file__).parent
# A standard for tokens, such as ERC-20, is no line of the seed.
ID = re.compile(r"\b(?!ERC-)[A-Z]{1,3}-[A-Za-z0-9-]+\b")


@dataclass(frozen=True)
class Answer:
    """What answers a line.

    Parameters
    ----------
    requirement : str
    kind : {"rule", "correlation", "learned", "feature", "step", "channel", "panel", "code"}
    name : str
        ``view.feature`` of features, ``playbook.step`` of steps, ``module:name`` of code.
    view : str
        Whose windows put it to use; empty for what windows do not.
    """

    requirement: str
    kind: str
    name: str
    view: str = ""


@cache
def requirements() -> Mapping[str, tuple[str, str]]:
    """Every line by its id: in a few words, and the code that answers it beside what is data."""
    with (HERE / "requirements.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: (row["words"], row["code"]) for row in csv.DictReader(file)}


def answers(
    packs: Iterable[Pack], library: Mapping[str, Playbook], routes: Sequence[Route]
) -> Iterator[Answer]:
    """Everything that names a line it answers."""
    for pack in packs:
        for metric in pack.metrics:
            for rung in metric.rungs:
                for name in rung.requirement:
                    yield Answer(name, "rule", rung.id, metric.view)
        for correlation in pack.correlations:
            for name in correlation.requirement:
                yield Answer(name, "correlation", correlation.id)
        for one in pack.learned:
            yield Answer(one.requirement, "learned", f"{one.view}.{one.feature}", one.view)
    for view in VIEWS.values():
        for feature in view.features:
            for name in ID.findall(feature.source):
                yield Answer(name, "feature", f"{view.name}.{feature.name}", view.name)
    for playbook in library.values():
        for _, step in playbook.steps:
            for name in step.requirement:
                yield Answer(name, "step", f"{playbook.playbook}.{step.id}")
    for route in routes:
        for wave in route.waves:
            for channel, name in zip(wave.channels, wave.requirement, strict=False):
                yield Answer(name, "channel", channel)
    for dashboard in _panels():
        for panel in dashboard["panels"]:
            for name in ID.findall(panel.get("requirement", "")):
                named = f"{dashboard['id']}.{panel['id']}"
                yield Answer(name, "panel", named, panel.get("view", ""))
    for name, (_, code) in requirements().items():
        for place in code.split():
            module, _, thing = place.partition(":")
            if hasattr(import_module(module), thing):
                yield Answer(name, "code", place)


def coverage(
    packs: Iterable[Pack],
    library: Mapping[str, Playbook],
    routes: Sequence[Route],
    *,
    store: sa.Engine | None = None,
    lake: Lake | None = None,
) -> dict[str, Any]:
    """Every line with what answers it.

    Parameters
    ----------
    store : sqlalchemy.Engine, optional
        Tells when rules, steps and channels were last put to use, in earnest or in a drill.
    lake : Lake, optional
        Tells until when features were measured.

    Returns
    -------
    dict
        ``total``, ``answered``, ``exercised``: counts; ``unanswered``: ids that nothing answers;
        ``unknown``: ids that are named but are no line; ``requirements``: of each ``id``,
        ``words``, ``answers`` (kind, name, exercised) and ``exercised``, the newest of them;
        ``drilled``: of each playbook when it last was (``at``, None for never) and if it
        ``passed``.
    """
    found: dict[str, dict[Answer, None]] = defaultdict(dict)
    for answer in answers(packs, library, routes):
        for name in _lines(answer.requirement):
            found[name][answer] = None
    when = _exercised(store, lake)
    drills: dict[str, dict[str, Any]] = {}
    if store is not None:
        with reading(store) as connection:
            drills = _drilled(connection)
    lines: list[dict[str, Any]] = []
    for name, (words, _) in requirements().items():
        told = [
            {"kind": one.kind, "name": one.name, "exercised": _iso(when(one))}
            for one in found.get(name, ())
        ]
        newest = max((one["exercised"] for one in told if one["exercised"]), default=None)
        lines.append({"id": name, "words": words, "answers": told, "exercised": newest})
    return {
        "total": len(lines),
        "answered": sum(bool(line["answers"]) for line in lines),
        "exercised": sum(bool(line["exercised"]) for line in lines),
        "unanswered": [line["id"] for line in lines if not line["answers"]],
        "unknown": sorted(found.keys() - requirements().keys()),
        "requirements": lines,
        "drilled": {
            name: {"at": grade.get("at"), "passed": grade.get("passed", False)}
            for name, grade in ((name, drills.get(name, {})) for name in sorted(library))
        },
    }


def coverage_text(given: Mapping[str, Any]) -> str:
    """The same for people."""
    rows = []
    for line in given["requirements"]:
        told = [f"{one['kind']} {one['name']}" for one in line["answers"]]
        more = f" and {len(told) - 2} more" if len(told) > 2 else ""
        answered = ", ".join(told[:2]) + more if told else "NOT ANSWERED"
        since = (line["exercised"] or "never")[:10]
        rows.append(f"{line['id']:<18} {since:<10}  {line['words']}: {answered}")
    counts = "{answered} of {total} lines are answered, {exercised} were put to use"
    drills = [
        f"{name}: drilled {grade['at'][:10]}, {'passed' if grade['passed'] else 'not passed'}"
        if grade["at"]
        else f"{name}: never drilled"
        for name, grade in given["drilled"].items()
    ]
    return "\n".join([*rows, "", counts.format_map(given), "", *drills])


def _lines(name: str) -> list[str]:
    """The lines that an id means: itself, or where it is a group, all of the group."""
    known = requirements()
    return (
        [name] if name in known else [one for one in known if one.startswith(f"{name}-")] or [name]
    )


def _panels() -> list[dict[str, Any]]:
    file = HERE / "web" / "panels.json"
    given: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return given


def _exercised(store: sa.Engine | None, lake: Lake | None) -> Callable[[Answer], datetime | None]:
    rules, steps, channels = _used(store) if store is not None else ({}, {}, {})
    measured = _measured(lake) if lake is not None else {}

    def when(answer: Answer) -> datetime | None:
        if answer.kind in ("rule", "correlation"):
            return rules.get(answer.name)
        if answer.kind == "step":
            return steps.get(answer.name)
        if answer.kind == "channel":
            return channels.get(answer.name)
        return measured.get(answer.view)

    return when


Times = dict[str, datetime]


def _used(store: sa.Engine) -> tuple[Times, Times, Times]:
    """When rules last fired, steps were last done, channels last told."""
    rules: Times = {}
    with reading(store) as connection:
        fired = sa.select(alerts.c.arms, alerts.c.last_seen).order_by(alerts.c.last_seen)
        for arms, at in connection.execute(fired):
            rules |= {arm.removeprefix("rule:"): at for arm in arms if arm.startswith("rule:")}
        drilled = _drilled(connection)
        done = (
            sa.select(runs.c.playbook, run_steps.c.step, sa.func.max(run_steps.c.ended_at))
            .join(runs, runs.c.id == run_steps.c.run)
            .where(run_steps.c.state == "done")
            .group_by(runs.c.playbook, run_steps.c.step)
        )
        steps = {
            f"{book}.{one['step']}": datetime.fromisoformat(grade["at"])
            for book, grade in drilled.items()
            for one in grade["steps"]
            if one["state"] == "done"
        }
        for book, step, at in connection.execute(done):
            steps[f"{book}.{step}"] = max(at, steps.get(f"{book}.{step}", at))
        sent = (
            sa.select(outbox.c.channel, sa.func.max(outbox.c.sent_at).label("at"))
            .where(outbox.c.state == "sent")
            .group_by(outbox.c.channel)
        )
        channels = {row.channel: row.at for row in connection.execute(sent)}
    return rules, steps, channels


def _drilled(connection: sa.Connection) -> dict[str, dict[str, Any]]:
    """The latest grade of each playbook that was drilled."""
    grades = sa.select(memory.c.key, memory.c.state).where(memory.c.part == DRILLS)
    return {row.key: row.state for row in connection.execute(grades)}


def _measured(lake: Lake) -> Times:
    """Until when each view has windows."""
    return {
        name: lake.scan(name, columns=[]).select(pl.col("end").max()).collect().item()
        for name in lake.views()
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
