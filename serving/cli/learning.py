"""Commands of a model's life: train, retrain, schedule, models, rollback."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.app import (
    HOME,
    Budget,
    Every,
    Home,
    Incidents,
    Json,
    Mlflow,
    Seed,
    Time,
    View,
    Views,
    answer,
    app,
    now,
    progress,
    utc,
    view_named,
)

__all__ = ["drift", "models", "retrain", "rollback", "schedule", "train"]


@app.command()
def train(
    view: View,
    since: Time = None,
    until: Time = None,
    seed: Seed = 0,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Learn what is normal for a view from its windows in the lake, and register the model."""
    from pipeline.lifecycle.outcome import exit_code, train_json, train_text
    from pipeline.lifecycle.retrain import Retraining

    chosen, retraining, times = (
        view_named(view),
        Retraining.of(home, mlflow, seed=seed),
        (since, until),
    )
    with progress() as tell:
        step = partial(tell, "learning")
        learned = retraining.train(chosen, *map(utc, times), now=now(), progress=step)
    answer(train_json(chosen, home, *learned), as_json, train_text)
    raise typer.Exit(0 if learned[1].what == "unchanged" else exit_code([learned[1]]))


@app.command()
def retrain(
    views: Views = None,
    due: Annotated[bool, typer.Option("--due", help="Only where a new model is due.")] = False,
    every: Every = 24.0,
    incidents: Incidents = None,
    budget: Budget = 1.0,
    seed: Seed = 0,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Train challengers and promote those that are in nothing worse than the champion."""
    from pipeline.lifecycle.outcome import exit_code, outcomes_text
    from pipeline.lifecycle.retrain import Retraining

    chosen = [view_named(name) for name in views or []]
    retraining = Retraining.of(home, mlflow, every, incidents, budget, seed)
    with progress() as tell:
        outcomes = retraining.run_all(chosen, clock=now, due_only=due, progress=tell)
    answer([vars(outcome) for outcome in outcomes], as_json, outcomes_text)
    raise typer.Exit(exit_code(outcomes))


@app.command()
def schedule(
    views: Views = None,
    interval: Annotated[float, typer.Option(min=0.001, help="Hours between two looks.")] = 1.0,
    every: Every = 24.0,
    incidents: Incidents = None,
    budget: Budget = 1.0,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Run `tocsin retrain --due` now and at each interval, until it is stopped."""
    from pipeline.lifecycle.outcome import outcomes_text
    from pipeline.lifecycle.retrain import Retraining
    from pipeline.lifecycle.schedule import scheduler, serve

    chosen = [view_named(name) for name in views or []]

    def command() -> None:
        retraining = Retraining.of(home, mlflow, every, incidents, budget)
        outcomes = retraining.run_all(chosen, clock=now, due_only=True)
        answer([vars(outcome) for outcome in outcomes], as_json, outcomes_text)

    serve(scheduler(command, every=timedelta(hours=interval), now=now()))


@app.command()
def models(
    views: Views = None, home: Home = HOME, mlflow: Mlflow = None, as_json: Json = False
) -> None:
    """Say which model serves each view and in which state, and who changed it when and why."""
    from pipeline.lake import Lake
    from pipeline.lifecycle.enlist import open_registry
    from pipeline.lifecycle.outcome import inventory, inventory_text

    registry = open_registry(home, mlflow)
    chosen = [view_named(name) for name in views or Lake(home / "lake").views()]
    answer([inventory(view, registry, home) for view in chosen], as_json, inventory_text)


@app.command()
def rollback(
    view: View,
    why: Annotated[str, typer.Option(help="For the audit trail.")],
    to: Annotated[int | None, typer.Option(help="A version; by default the one before.")] = None,
    incidents: Annotated[
        Path | None,
        typer.Option(help="CSV of entity, start, end: the champion as if it never saw them."),
    ] = None,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Make an earlier model the champion again, or one that never saw some incidents."""
    from pipeline.files import InputError
    from pipeline.lifecycle.champion import rollback as roll_back
    from pipeline.lifecycle.enlist import exclusive, open_registry, user
    from pipeline.lifecycle.incidents import read_incidents
    from pipeline.lifecycle.outcome import inventory, inventory_text
    from pipeline.lifecycle.rewind import rewind

    if to is not None and incidents is not None:
        raise InputError("--to and --incidents are given; expected one of them")
    chosen, registry = view_named(view), open_registry(home, mlflow)
    with exclusive(home, chosen):
        if incidents is not None:
            known = read_incidents(incidents)
            rewind(chosen, registry, home, known, who=user(), now=now(), why=why)
        else:
            roll_back(chosen, registry, home, who=user(), now=now(), why=why, to=to)
    answer([inventory(chosen, registry, home)], as_json, inventory_text)


@app.command()
def drift(
    views: Views = None,
    budget: Annotated[
        float, typer.Option(min=0.01, help="False alarms a month of each view.")
    ] = 1.0,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Say which features and scores are no longer as they were when the model was trained."""
    from datetime import datetime

    from pipeline.lake import Lake
    from pipeline.lifecycle.drifting import drift_json, drift_text, drifting
    from pipeline.lifecycle.enlist import open_registry
    from pipeline.lifecycle.outcome import inventory

    lake, registry = Lake(home / "lake"), open_registry(home, mlflow)
    told = []
    for view in (view_named(name) for name in views or lake.views()):
        served = inventory(view, registry, home)
        of = [v for v in served["versions"] if v["version"] == served["version"]]
        if not of:
            told.append({"view": view.name, "trained": None, "watched": [], "drifts": []})
            continue
        trained = datetime.fromisoformat(of[0]["until"])
        watch = drifting(view, lake, trained=trained, budget=budget)
        told.append(drift_json(view, trained, watch))
    answer(told, as_json, lambda rows: "\n".join(map(drift_text, rows)))
