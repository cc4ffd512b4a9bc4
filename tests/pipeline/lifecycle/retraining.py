"""Homes with a lake and a champion, for the tests of the life of models.

Run as a module, this file is the process behind `Runner`.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.trading import SYMBOL_5S
from features.view import FeatureView
from models.registry import _mlflow
from pipeline.lake import Lake
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.retrain import Retraining

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
NOW = NOON + timedelta(days=30)
ENTITIES = ("A", "B", "C")
FIRST, THEN = 9_000, 3_000
VIEW = SYMBOL_5S


def made_up(first: int, rows: int, view: FeatureView = VIEW) -> pl.DataFrame:
    """Windows of three entities from a row of an endless history on, every feature noisy."""
    rng = np.random.default_rng(first)
    row = first + np.arange(rows)
    start = pl.Series([NOON + int(n) * view.every for n in row // len(ENTITIES)])
    return pl.DataFrame(
        {
            "entity": [ENTITIES[i % len(ENTITIES)] for i in row],
            "start": start,
            "end": start + view.every,
            **{name: np.exp(0.5 * rng.normal(size=rows)) for name in view.names},
        },
        schema=dict(view.schema),
    )


def retraining(home: Path, uri: str | None = None) -> Retraining:
    return Retraining(Lake(home / "lake"), home, open_registry(home, uri), "tester")


def home_with_champion(home: Path) -> Path:
    """Version 1 has learned the first windows; as many as make a new model due came after."""
    lake = Lake(home / "lake")
    lake.append(VIEW.name, made_up(0, FIRST))
    retraining(home).train(VIEW, now=NOW)
    lake.append(VIEW.name, made_up(FIRST, THEN))
    return home


def shared_home(factory: pytest.TempPathFactory) -> Path:
    """One `home_with_champion` for all modules: it is only to be `copied`."""
    home = factory.getbasetemp() / "home-with-champion"
    return home if home.exists() else home_with_champion(home)


def copied(home: Path, to: Path) -> Path:
    """A home of its own; artifacts are read from where they were first, by run."""
    shutil.copytree(home, to, symlinks=True)
    return to


class Runner:
    """A process with everything imported that forks one run of `retrain --due` a request.

    A run is a process of its own, which can be killed, without the seconds of the imports.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.pipeline.lifecycle.retraining"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def begin(self, *homes: Path) -> list[int]:
        """Start runs at once, one in each home; their process ids."""
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(map(str, homes)) + "\n")
        self._process.stdin.flush()
        return [int(number) for number in self._line().split()]

    def ended(self, within: float | None = None) -> list[str] | None:
        """What the runs did, ``killed`` for one that was; None if they take longer."""
        if within is not None and not select.select([self._process.stdout], [], [], within)[0]:
            return None
        return self._line().split("\t")

    def stop(self) -> None:
        self._process.communicate()


def main() -> None:
    _mlflow()
    print("ready", flush=True)
    for line in sys.stdin:
        begun = [_fork(Path(home)) for home in line.strip().split("\t")]
        print(*(number for number, _ in begun), flush=True)
        said = []
        for number, told in begun:
            with os.fdopen(told) as file:
                said.append(file.read() or "killed")
            os.waitpid(number, 0)
        print(*said, sep="\t", flush=True)


def _fork(home: Path) -> tuple[int, int]:
    told, tell = os.pipe()
    if number := os.fork():
        os.close(tell)
        return number, told
    what = retraining(home).run(VIEW, now=NOW, due_only=True).what
    os.write(tell, what.encode())
    os._exit(0)


if __name__ == "__main__":
    main()
