"""What the command line says and asks: answers, a bar, names of views, exit codes of errors."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from features.catalogue import view
from features.view import FeatureView
from models.persistence import ModelFileError
from models.registry import RegistryError
from pipeline.config import ConfigError
from pipeline.database import StoreError
from pipeline.files import InputError
from pipeline.lake import LakeError
from pipeline.lifecycle.enlist import BusyError
from pipeline.sources.source import SourceError

__all__ = ["answer", "error_code", "named", "progress", "windows_text"]

CODES: dict[type[Exception], int] = {
    RegistryError: 1,
    SourceError: 1,
    ConfigError: 2,
    InputError: 2,
    LakeError: 2,
    ModelFileError: 2,
    StoreError: 2,
    BusyError: 4,
}


def named(name: str) -> FeatureView:
    """The view of that name.

    Raises
    ------
    InputError
        There is none.
    """
    try:
        return view(name)
    except KeyError as error:
        raise InputError(error.args[0]) from error


def answer(given: Any, as_json: bool, text: Callable[[Any], str]) -> None:
    """Print a result as one JSON document or as text."""
    print(json.dumps(given, indent=2, allow_nan=False) if as_json else text(given), flush=True)


def windows_text(given: dict[str, Any]) -> str:
    """What `tocsin windows` tells people."""
    lost = f", {Counter(given['refused']).total():,} refused" if given["refused"] else ""
    return f"{given['events']:,} events{lost} -> {given['windows']:,} windows in {given['out']}"


@contextmanager
def progress() -> Iterator[Callable[[str, float], None]]:
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


def error_code(error: Exception) -> int | None:
    """The exit code of an error that one line explains, or None of one that is ours to mend."""
    return next((code for kind, code in CODES.items() if isinstance(error, kind)), None)
