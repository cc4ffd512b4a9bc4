"""The front door: `tocsin --help`. Heavy things are imported inside the commands."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="tocsin",
    help="Watches a crypto trading platform, says how rare each moment is, and why.",
    epilog="Exit codes: 0 done, 1 something is broken (doctor), 2 the input cannot be used.",
    no_args_is_help=True,
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

HOME = Path(".tocsin")


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
    from pipeline.files import read_events, write_parquet
    from pipeline.lake import Lake

    chosen = _view(view)
    events, counts = read_events(chosen.stream, files, now=_now(), refused_to=refused)
    table = batch_windows(chosen, events)
    if out is not None:
        write_parquet(table, out)
    else:
        Lake(home / "lake").append(chosen.name, table)
    where = str(out if out is not None else home / "lake")
    given: dict[str, Any] = {"view": chosen.name, "events": len(events), "refused": dict(counts)}
    _answer(given | {"windows": len(table), "out": where}, as_json, _windows_text)


@app.command()
def train(
    view: View,
    since: Time = None,
    until: Time = None,
    seed: Seed = 0,
    home: Home = HOME,
    as_json: Json = False,
) -> None:
    """Learn what is normal for a view from its windows in the lake."""
    from pipeline import train as training
    from pipeline.lake import Lake

    chosen = _view(view)
    path = training.model_path(home, chosen)
    with _progress() as tell:
        scorer = training.train(
            chosen,
            Lake(home / "lake"),
            path,
            since=_utc(since),
            until=_utc(until),
            seed=seed,
            progress=lambda share: tell("learning", share),
        )
    given = {"view": chosen.name, "windows": scorer.history.seen, "warm": scorer.warm}
    _answer(given | {"model": str(path)}, as_json, _train_text)


@app.command()
def score(
    dataset: Folder,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Score a data set blind: each window by what came before it, labels unread."""
    from pipeline.dataset import COLUMNS, Dataset, score_dataset
    from pipeline.files import write_parquet

    chosen = Dataset.open(dataset)
    with _progress() as tell:
        tell("reading", 0.0)
        table = chosen.windows(now=_now())
        scores = score_dataset(chosen, table, seed=seed, progress=lambda s: tell("scoring", s))
    write_parquet(scores.select(COLUMNS), out)
    given = {"set": chosen.name, "view": chosen.view.name, "windows": len(scores), "out": str(out)}
    _answer(given, as_json, lambda g: f"{g['windows']:,} windows scored, in {g['out']}")


@app.command()
def evaluate(
    datasets: Annotated[list[Path], typer.Argument(help="Labelled data sets.")],
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Judge the scores on labelled data sets, beside a plain forest, a trivial score and chance."""
    from pipeline.dataset import Dataset
    from pipeline.evaluate import evaluate as judge

    chosen = [Dataset.open(path) for path in datasets]
    results = []
    with _progress() as tell:
        for dataset in chosen:
            step = partial(tell, dataset.name)
            step(0.0)
            results.append(judge(dataset, now=_now(), seed=seed, progress=step))
    _answer(results, as_json, _evaluate_text)


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
    from dataclasses import asdict

    from pipeline.doctor import examine

    findings = [asdict(finding) for finding in examine(home, now=_now())]
    _answer(
        findings,
        as_json,
        lambda rows: "\n".join(f"{r['state']:<7}{r['what']:<32}{r['detail']}" for r in rows),
    )
    if any(finding["state"] == "broken" for finding in findings):
        raise typer.Exit(1)


def _windows_text(given: dict[str, Any]) -> str:
    lost = f", {Counter(given['refused']).total():,} refused" if given["refused"] else ""
    return f"{given['events']:,} events{lost} -> {given['windows']:,} windows in {given['out']}"


def _train_text(given: dict[str, Any]) -> str:
    state = "warm" if given["warm"] else "cold: it needs more history to say how rare a window is"
    return f"{given['view']}: learned {given['windows']:,} windows, {state}; in {given['model']}"


def _evaluate_text(results: list[dict[str, Any]]) -> str:
    from pipeline.evaluate import table_text

    return "\n\n".join(table_text(result) for result in results)


def _view(name: str) -> Any:
    from features.catalogue import view
    from pipeline.files import InputError

    try:
        return view(name)
    except KeyError as error:
        raise InputError(error.args[0]) from error


def _now() -> datetime:
    return datetime.now(UTC)


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)


def _answer(given: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    if as_json:
        import json

        print(json.dumps(given, indent=2, allow_nan=False))
    else:
        print(text(given))


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A bar on stderr, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda step, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, share: bar.update(task, description=step, completed=share)


def main() -> None:
    """Run the command line; a user's mistake is one line on stderr and exit code 2."""
    try:
        app()
    except Exception as error:
        from models.persistence import ModelFileError
        from pipeline.files import InputError
        from pipeline.lake import LakeError

        if not isinstance(error, InputError | LakeError | ModelFileError):
            raise
        print(f"tocsin: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
