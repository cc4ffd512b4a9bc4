"""What the commands share: the app, the options, how answers and progress are shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "HOME",
    "Budget",
    "Every",
    "Files",
    "Folder",
    "Home",
    "Incidents",
    "Json",
    "Mlflow",
    "Out",
    "Scores",
    "Seed",
    "Sets",
    "Time",
    "Timed",
    "View",
    "Views",
    "answer",
    "app",
    "now",
    "progress",
    "utc",
    "view_named",
]

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

HOME = Path(".tocsin")
now = partial(datetime.now, UTC)
"""The clock of the command line; everything below is given its time."""


def view_named(name: str) -> Any:
    """The view of that name, or a user's error that lists those there are."""
    from pipeline.console import named

    return named(name)


def utc(time: datetime | None) -> datetime | None:
    """A time given on the command line, which is in UTC."""
    return None if time is None else time.replace(tzinfo=UTC)


def answer(given: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print the answer of a command: one JSON document, or its text."""
    from pipeline.console import answer as show

    show(given, as_json, text)


def progress() -> Any:
    """A bar on stderr, on a terminal only."""
    from pipeline.console import progress as bar

    return bar()
