"""What was done with models, and what there is: as exit codes, as JSON, as text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from features.view import FeatureView
from models.registry import Registry, RegistryError
from pipeline.lifecycle.champion import champion
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer

__all__ = [
    "EXIT",
    "Outcome",
    "What",
    "exit_code",
    "inventory",
    "inventory_text",
    "outcomes_text",
    "train_json",
    "train_text",
]

What = Literal["promoted", "kept", "not due", "unchanged", "busy", "unusable", "unreachable"]
EXIT: dict[What, int] = {
    "unreachable": 1,
    "unusable": 2,
    "promoted": 0,
    "kept": 0,
    "busy": 4,
    "not due": 3,
    "unchanged": 3,
}
"""What may happen to a view and its exit code; of several views the first in this order counts."""


@dataclass(frozen=True)
class Outcome:
    """What a run did for one view: ``kept`` is a challenger registered, the champion kept."""

    view: str
    what: What
    why: str
    version: int | None = None


def exit_code(outcomes: list[Outcome]) -> int:
    """The exit code that tells what happened to all views."""
    happened = {outcome.what for outcome in outcomes}
    return next((code for what, code in EXIT.items() if what in happened), EXIT["not due"])


def outcomes_text(outcomes: list[dict[str, Any]]) -> str:
    """A line for each view."""
    return "\n".join(
        f"{o['view']}: {o['what']}{_numbered(o['version'])}; {o['why']}" for o in outcomes
    )


def train_json(view: FeatureView, home: Path, scorer: Scorer, outcome: Outcome) -> dict[str, Any]:
    """What `tocsin train` tells."""
    return {
        "view": view.name,
        "windows": scorer.history.seen,
        "warm": scorer.warm,
        "model": str(model_path(home, view)),
        "registered": vars(outcome),
    }


def train_text(given: dict[str, Any]) -> str:
    """The same for people."""
    state = "warm" if given["warm"] else "cold: it needs more history to say how rare a window is"
    return (
        f"{given['view']}: learned {given['windows']:,} windows, {state}; in {given['model']}\n"
        + outcomes_text([given["registered"]])
    )


def _numbered(version: int | None) -> str:
    return "" if version is None else f", version {version}"


def inventory(view: FeatureView, registry: Registry, home: Path) -> dict[str, Any]:
    """What serves a view and in which state, its versions, and every change of champion."""
    served = champion(view, registry, home)
    found: dict[str, Any] = {
        "view": view.name,
        "state": served.state,
        "detail": served.detail,
        "version": served.version,
        "versions": [],
        "changes": [],
    }
    try:
        aliases = registry.aliases(view.name)
        for version in registry.versions(view.name):
            held = [alias for alias, number in aliases.items() if number == version.number]
            found["versions"].append({"version": version.number, "aliases": held, **version.tags})
        found["changes"] = [vars(change) for change in registry.changes(view.name)]
    except RegistryError:
        # The state says already that MLflow is down.
        pass
    return found


def inventory_text(views: list[dict[str, Any]]) -> str:
    """The same for people."""
    lines = []
    for view in views:
        lines.append(f"{view['view']}: {view['state']} ({view['detail']})")
        lines += [
            f"  {v['version']:>3} {', '.join(v['aliases']):<11}until {v['until'][:19]}  "
            f"{v['decision']}"
            for v in view["versions"]
        ]
        lines += [
            f"  {c['when'][:19]} {c['kind']} of {c['after']} after {c['before']} by {c['who']}: "
            f"{c['why']}"
            for c in view["changes"]
        ]
    return "\n".join(lines)
