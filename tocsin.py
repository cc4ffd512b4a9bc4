"""The front door: `tocsin --help`. Heavy things are imported inside the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="tocsin",
    help="Watches a crypto trading platform, says how rare each moment is, and why.",
    epilog="Exit codes: 0 done, 1 something is broken, 2 the input cannot be used, "
    "3 nothing was due (retrain), 4 another run holds the lock.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)

View = Annotated[str, typer.Argument(help="Name of a view, such as trades.symbol_5s.")]
Files = Annotated[list[Path], typer.Argument(help="Parquet, CSV or JSON-lines files of events.")]
Folder = Annotated[Path, typer.Argument(help="A data set: a folder with meta.json.")]
Home = Annotated[
    Path, typer.Option(envvar="TOCSIN_HOME", help="Folder of the lake and the models.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of all that is random.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Time = Annotated[datetime | None, typer.Option(help="A time in UTC, such as 2026-01-31T12:00:00.")]
Views = Annotated[list[str] | None, typer.Argument(help="By default all views in the lake.")]
Mlflow = Annotated[
    str | None,
    typer.Option(envvar="MLFLOW_TRACKING_URI", help="By default a database in the home folder."),
]
Every = Annotated[float, typer.Option(min=0, help="Hours after which a model is to be replaced.")]
Incidents = Annotated[
    Path | None, typer.Option(help="CSV of entity, start, end: not learned, but to be found.")
]
Budget = Annotated[float, typer.Option(min=0.001, help="Alerts a day of each view.")]

Scores = Annotated[Path, typer.Option(help="Parquet file to write.")]
Sets = Annotated[list[Path], typer.Argument(help="Labelled data sets.")]
Out = Annotated[Path, typer.Option(help="Folder for report.html, report.md and results.json.")]
Timed = Annotated[bool, typer.Option("--timed", help="Add time and memory; they never repeat.")]

HOME, REPORT = Path(".tocsin"), Path(".tocsin/report")
_now = partial(datetime.now, UTC)


@app.command()
def windows(
    view: View,
    files: Files,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file to write; without it, the lake.")
    ] = None,
    refused: Annotated[
        Path | None,
        typer.Option(help="Parquet file for refused rows; without it, one is an error."),
    ] = None,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Turn files of events into windows of a view."""
    from features.silence import batch_windows
    from pipeline.console import windows_text
    from pipeline.files import digest, read_events, write_parquet
    from pipeline.lake import Lake

    chosen = _view(view)
    events, counts = read_events(chosen.stream, files, now=_now(), refused_to=refused)
    table = batch_windows(chosen, events)
    if out is not None:
        write_parquet(table, out)
    else:
        # The same files again are the same append, which the lake takes once.
        Lake(home / "lake").append(chosen.name, table, transaction=(f"files-{digest(files)}", 1))
    given: dict[str, Any] = {"view": chosen.name, "events": len(events), "refused": dict(counts)}
    given |= {"windows": len(table), "out": str(out or home / "lake")}
    _answer(given, as_json, windows_text)


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

    chosen, retraining, times = _view(view), Retraining.of(home, mlflow, seed=seed), (since, until)
    with _progress() as tell:
        step = partial(tell, "learning")
        learned = retraining.train(chosen, *map(_utc, times), now=_now(), progress=step)
    _answer(train_json(chosen, home, *learned), as_json, train_text)
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

    chosen = [_view(name) for name in views or []]
    retraining = Retraining.of(home, mlflow, every, incidents, budget, seed)
    with _progress() as tell:
        outcomes = retraining.run_all(chosen, clock=_now, due_only=due, progress=tell)
    _answer([vars(outcome) for outcome in outcomes], as_json, outcomes_text)
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

    chosen = [_view(name) for name in views or []]

    def command() -> None:
        retraining = Retraining.of(home, mlflow, every, incidents, budget)
        outcomes = retraining.run_all(chosen, clock=_now, due_only=True)
        _answer([vars(outcome) for outcome in outcomes], as_json, outcomes_text)

    serve(scheduler(command, every=timedelta(hours=interval), now=_now()))


@app.command()
def models(
    views: Views = None, home: Home = HOME, mlflow: Mlflow = None, as_json: Json = False
) -> None:
    """Say which model serves each view and in which state, and who changed it when and why."""
    from pipeline.lake import Lake
    from pipeline.lifecycle.enlist import open_registry
    from pipeline.lifecycle.outcome import inventory, inventory_text

    registry = open_registry(home, mlflow)
    chosen = [_view(name) for name in views or Lake(home / "lake").views()]
    _answer([inventory(view, registry, home) for view in chosen], as_json, inventory_text)


@app.command()
def rollback(
    view: View,
    why: Annotated[str, typer.Option(help="For the audit trail.")],
    to: Annotated[int | None, typer.Option(help="A version; by default the one before.")] = None,
    home: Home = HOME,
    mlflow: Mlflow = None,
    as_json: Json = False,
) -> None:
    """Make an earlier model the champion again."""
    from pipeline.lifecycle.champion import rollback as roll_back
    from pipeline.lifecycle.enlist import exclusive, open_registry, user
    from pipeline.lifecycle.outcome import inventory, inventory_text

    chosen, registry = _view(view), open_registry(home, mlflow)
    with exclusive(home, chosen):
        roll_back(chosen, registry, home, who=user(), now=_now(), why=why, to=to)
    _answer([inventory(chosen, registry, home)], as_json, inventory_text)


@app.command()
def score(dataset: Folder, out: Scores, seed: Seed = 0, as_json: Json = False) -> None:
    """Score a data set blind: each window by what came before it, labels unread."""
    from pipeline.dataset import Dataset, blind_scores
    from pipeline.files import write_parquet

    chosen = Dataset.open(dataset)
    with _progress() as tell:
        scores = blind_scores(chosen, now=_now(), seed=seed, progress=partial(tell, "scoring"))
    write_parquet(scores, out)
    given = {"set": chosen.name, "layout": chosen.layout, "scored": len(scores), "out": str(out)}
    _answer(given, as_json, lambda g: f"{g['scored']:,} scored, in {g['out']}")


@app.command()
def evaluate(datasets: Sets, seed: Seed = 0, as_json: Json = False) -> None:
    """Judge the scores on labelled data sets, beside a plain forest, a trivial score and chance."""
    from pipeline.dataset import Dataset
    from pipeline.evaluate import evaluate as judge
    from pipeline.evaluate import table_text

    chosen = [Dataset.open(path) for path in datasets]
    with _progress() as tell:
        results = [judge(d, now=_now(), seed=seed, progress=partial(tell, d.name)) for d in chosen]
    _answer(results, as_json, lambda rows: "\n\n".join(map(table_text, rows)))


@app.command()
def report(
    datasets: Sets, out: Out = REPORT, timed: Timed = False, seed: Seed = 0, as_json: Json = False
) -> None:
    """Write one page that says how good the scores are on labelled data sets, and what to do."""
    from pipeline.report.build import build_report, installed, spent, write_report

    meter, versions = (spent if timed else None), installed()
    with _progress() as tell:
        built = build_report(datasets, _now(), seed, versions, progress=tell, meter=meter)
    files = ", ".join(map(str, write_report(built, out)))
    _answer(built.fields(), as_json, lambda given: f"{given['verdict']['headline']}\n{files}")


@app.command()
def demo(seed: Seed = 0, home: Home = HOME / "demo", as_json: Json = False) -> None:
    """Run the main job on five made-up days of an exchange and on this machine."""
    from pipeline.demo import demonstrate

    with _progress() as tell:
        shown = demonstrate(home, seed=seed, clock=_now, progress=tell)
    from pipeline.show import demonstration_json, demonstration_text

    if as_json:
        _answer(demonstration_json(shown), True, str)
    else:
        demonstration_text(shown)


@app.command()
def doctor(home: Home = HOME, as_json: Json = False) -> None:
    """Say what is configured, reachable, behind or missing."""
    from pipeline.doctor import examine

    findings = [vars(finding) for finding in examine(home, now=_now())]
    row = "{state:<7}{what:<32}{detail}".format_map
    _answer(findings, as_json, lambda rows: "\n".join(map(row, rows)))
    raise typer.Exit(int(any(finding["state"] == "broken" for finding in findings)))


def _view(name: str) -> Any:
    from pipeline.console import named

    return named(name)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _answer(given: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    from pipeline.console import answer

    answer(given, as_json, text)


def _progress() -> Any:
    from pipeline.console import progress

    return progress()


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and an exit code."""
    try:
        app()
    except Exception as error:
        from pipeline.console import error_code

        if (code := error_code(error)) is None:
            raise
        print(f"tocsin: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
