"""A report from data sets to files."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pipeline.evaluation.dataset import Dataset
from pipeline.files import InputError
from pipeline.report.contest import contest
from pipeline.report.judge import judge
from pipeline.report.render import html, markdown, results_json
from pipeline.report.results import Cost, Report, Served
from pipeline.report.verdict import RULES, verdict

__all__ = ["build_report", "installed", "spent", "write_report"]

PACKAGES = ("tocsin", "numpy", "numba", "polars", "scikit-learn", "matplotlib")


def build_report(
    datasets: Sequence[Path],
    now: datetime,
    seed: int,
    versions: Mapping[str, str],
    *,
    progress: Callable[[str, float], None] = lambda name, share: None,
    meter: Callable[[], Cost] | None = None,
    serving: Sequence[Served] = (),
) -> Report:
    """Judge labelled data sets.

    Parameters
    ----------
    datasets : sequence of Path
        Folders in the layout of ``data/README.md``.
    now : datetime
        Events after it are refused; it is not in the report.
    versions : mapping of str to str
        Of the code and the packages.
    progress : callable
        Told the set at work and its share done, 0 to 1.
    meter : callable
        Seconds and memory spent so far. What is measured differs from run to run, so without a
        meter, and only then, the same data and seed give the same report to the byte.
    serving : sequence of Served
        From `pipeline.report.served`: what serves the views of the lake.

    Raises
    ------
    InputError
        A set cannot be read, or nothing in it is labelled.
    """
    # All are opened before any is judged: a wrong name is told at once.
    opened = [Dataset.open(path) for path in datasets]
    sets = []
    for dataset in opened:
        before = meter() if meter else None
        step = partial(progress, dataset.name)
        judged = contest(dataset, now=now, seed=seed, progress=step)
        cost = None
        if meter and before:
            after = meter()
            cost = Cost(after.seconds - before.seconds, after.memory_mb)
        sets.append(judge(judged, seed=seed, cost=cost))
    return Report(dict(versions), seed, RULES, sets, verdict(sets), list(serving))


def write_report(report: Report, out: Path) -> list[Path]:
    """Write ``report.html``, ``report.md`` and ``results.json`` into a folder.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    files = {"report.html": html, "report.md": markdown, "results.json": results_json}
    # All is rendered before anything is written: no new page beside old results.
    texts = {name: render(report) for name, render in files.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: {error.strerror}; expected a folder to write to") from error
    return [out / name for name in texts]


def installed() -> dict[str, str]:
    """Versions of this code and of the packages that decide the figures and the drawings."""
    return {name: _version(name) for name in PACKAGES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def spent() -> Cost:
    """What this process has spent: seconds on the wall, and its greatest memory so far."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return Cost(time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)
