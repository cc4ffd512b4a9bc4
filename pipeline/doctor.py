"""What is configured, reachable, behind or missing, in one list."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import polars as pl

from features.catalogue import VIEWS
from models.persistence import ModelFileError
from models.registry import CHAMPION, RegistryError
from pipeline.config import Config, ConfigError
from pipeline.database import StoreError, open_engine
from pipeline.lake import Lake, LakeError
from pipeline.lake.schema import ASIDE, SCORES
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.train import model_path
from pipeline.scoring.scorer import Scorer
from pipeline.sources.host import HostSource
from pipeline.sources.kinds import kinds_of
from pipeline.stream.checkpoint import DatabaseError, StreamState, recorded
from pipeline.stream.live import stream_status

__all__ = ["BEHIND", "Finding", "examine"]

State = Literal["ok", "none", "behind", "broken"]
BEHIND = timedelta(minutes=5)
"""How old what came last may be. What is sampled comes once a minute or more often, and a source
that fails is asked again within five minutes: after that, waiting alone will not mend it."""
PACKAGES = ("polars", "pyarrow", "numpy", "numba", "scikit-learn", "river", "deltalake")
OPTIONAL = {"confluent-kafka": "kafka", "pyspark": "spark", "psycopg": "postgres"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    It is ``ok``; ``none`` where there is nothing yet; ``behind`` where what came last is older
    than `BEHIND`, which may be quiet as well; or ``broken``.
    """

    what: str
    state: State
    detail: str


def examine(
    home: Path, *, now: datetime, config: Config | None = None, mlflow: str | None = None
) -> list[Finding]:
    """Look at everything this installation needs and has; nothing is changed or locked.

    Parameters
    ----------
    home : Path
        Where the lake and the models are.
    now : datetime
        Aware; how far lake and stream are behind is measured against it.
    config : Config, optional
        Says which store, loop, sources and registry are looked at, and where its home is.
    mlflow : str, optional
        URI of MLflow where there is no configuration; by default its database in ``home``.
    """
    home = config.home if config else home
    return [
        Finding("python", "ok", sys.version.split()[0]),
        *(_package(name) for name in PACKAGES),
        *(_extra(name, extra) for name, extra in OPTIONAL.items()),
        _host(now),
        *_lake(home, now),
        *_models(home),
        _mlflow(home, config.registry if config else mlflow, config),
        *_store(home, config, now),
    ]


def _package(name: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "broken", "not installed; run `make test` or install the lock")


def _extra(name: str, extra: str) -> Finding:
    try:
        return Finding(name, "ok", version(name))
    except PackageNotFoundError:
        return Finding(name, "none", f"optional; comes with tocsin[{extra}]")


def _host(now: datetime) -> Finding:
    taken = HostSource().sample(now)
    if not taken:
        return Finding("this machine", "broken", "psutil tells nothing of it")
    return Finding("this machine", "ok", f"tells of {', '.join(sorted(taken))}")


def _lake(home: Path, now: datetime) -> list[Finding]:
    path = home / "lake"
    try:
        lake = Lake(path)
        names = lake.views()
    except LakeError as error:
        return [Finding("lake", "broken", str(error))]
    if not names:
        return [Finding("lake", "none", f"{path} holds no windows yet")]
    return [_table(lake, name, now) for name in names]


def _table(lake: Lake, name: str, now: datetime) -> Finding:
    try:
        rows, newest = (
            lake.scan(name).select(pl.len(), pl.col("end").max().alias("newest")).collect().row(0)
        )
        at = lake.version(name)
    except LakeError as error:
        return Finding(f"lake {name}", "broken", str(error))
    if not rows:
        return Finding(f"lake {name}", "none", f"version {at} holds no windows")
    hours = (now - newest).total_seconds() / 3600
    held = f"{rows:,} windows up to {newest:%Y-%m-%d %H:%M:%S} UTC, {hours:,.1f} h behind"
    return Finding(f"lake {name}", "ok", f"version {at}, {held}")


def _models(home: Path) -> list[Finding]:
    findings = []
    for view in VIEWS.values():
        path = model_path(home, view)
        if not path.exists():
            continue
        try:
            scorer = Scorer.load(view, path)
        except ModelFileError as error:
            findings.append(Finding(f"model {view.name}", "broken", str(error)))
        else:
            state = "warm" if scorer.warm else "cold"
            learned = f"{state}, learned from {scorer.history.seen:,} windows"
            findings.append(Finding(f"model {view.name}", "ok", learned))
    return findings or [Finding("models", "none", f"no model in {home / 'models'} yet")]


def _mlflow(home: Path, uri: str | None, config: Config | None) -> Finding:
    if uri is None and not (home / "mlflow.db").exists():
        needed = config is not None and config.models == "registry"
        told = "no database of it in the home folder yet"
        return Finding("mlflow", "none", f"{told}, where models come from" if needed else told)
    registry = open_registry(home, uri)
    # To ask for a database that is not there would make it.
    file = registry.uri.removeprefix("sqlite:///")
    if file != registry.uri and not Path(file).exists():
        return Finding("mlflow", "none", f"{file} is not there yet")
    try:
        champions = [name for name in VIEWS if CHAMPION in registry.aliases(name)]
    except RegistryError as error:
        return Finding("mlflow", "broken", str(error))
    return Finding("mlflow", "ok", f"reachable; champions of {len(champions)} views")


def _store(home: Path, config: Config | None, now: datetime) -> list[Finding]:
    """The store, and the stream that it tells of."""
    loop = config.loop if config else "stream"
    try:
        engine = open_engine(config.store_url if config else f"sqlite:///{home}/store.db")
    except (ConfigError, StoreError) as error:
        return [Finding("store", "broken", str(error))]
    where = engine.url.render_as_string(hide_password=True)
    try:
        # To look at a file that is not there would make it.
        if engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists():
            return [Finding("store", "none", f"{where} is not there yet")]
        state = recorded(engine, loop)
    except DatabaseError as error:
        return [Finding("store", "broken", f"{where}: {str(error).splitlines()[0]}")]
    finally:
        engine.dispose()
    found = [Finding("store", "ok", f"{where} is reachable")]
    if state is None:
        return [*found, Finding("stream", "none", "none has run on this store yet")]
    return [*found, *_stream(state, home, config, now)]


def _stream(state: StreamState, home: Path, config: Config | None, now: datetime) -> list[Finding]:
    status = stream_status(state, now=now)
    sources = {name: _source(name, **told) for name, told in status["sources"].items()}
    for kind in kinds_of(config) if config else ():
        # A kind with several sources puts a dot after its own name.
        if not any(name == kind.name or name.startswith(f"{kind.name}.") for name in sources):
            told = "is configured and has given nothing yet"
            sources[kind.name] = Finding(f"source {kind.name}", "none", told)
    try:
        lake = Lake(home / "lake")
    except LakeError:
        # Told already.
        return [_steps(status), *sources.values()]
    views = [_view(name, warm=_warm(lake, name), **told) for name, told in status["views"].items()]
    streams = sorted({s.stream for s in state.sources.values()})
    aside = [found for stream in streams for found in _aside(lake, stream)]
    return [_steps(status), *sources.values(), *views, *aside]


def _steps(status: dict[str, Any]) -> Finding:
    step, done, begun = (status[k] for k in ("step", "committed_seconds", "unfinished_seconds"))
    last = "no step committed yet" if done is None else f"step {step} committed {_span(done)} ago"
    if begun is not None:
        told = f"{last}; step {step + 1}, begun {_span(begun)} ago, is unfinished"
        if begun <= BEHIND.total_seconds():
            return Finding("stream", "ok", told)
        return Finding("stream", "broken", f"{told}: it fails again and again, or nobody runs it")
    if done is None:
        return Finding("stream", "none", last)
    return Finding("stream", "behind" if done > BEHIND.total_seconds() else "ok", last)


def _source(
    name: str, given: int, accepted: int, lag_seconds: float | None, error: str | None, **told: Any
) -> Finding:
    counts = f"{accepted:,} accepted, {told['refused']:,} refused, {told['future']:,} future"
    age = "no event yet" if lag_seconds is None else f"newest event {_span(lag_seconds)} old"
    detail = f"{age}; of {given:,} rows {counts}"
    if error is not None:
        often = "once" if told["failures"] == 1 else f"{told['failures']:,} times in a row"
        detail = f"failed {often}: {error}; {detail}"
    state: State = "ok"
    # A source of which nothing can be used is not read as it should be.
    if error is not None or (given and not accepted):
        state = "broken"
    elif lag_seconds is None:
        state = "none"
    elif lag_seconds > BEHIND.total_seconds():
        state = "behind"
    return Finding(f"source {name}", state, detail)


def _view(name: str, lag_seconds: float | None, state: str, **told: Any) -> Finding:
    counts = "{accepted:,} rows accepted, {late:,} late, {windows:,} windows".format_map(told)
    age = "no window closed yet"
    if lag_seconds is not None:
        age = f"windows closed up to {_span(lag_seconds)} ago"
    detail = f"{age}; {counts}; model {told['model'] or 'none'}, scores {told['warm']}"
    if state != "ok":
        return Finding(f"view {name}", "broken", f"{state}: {told['detail']}; {detail}")
    if lag_seconds is None:
        return Finding(f"view {name}", "none", detail)
    # An open window and the wait for late rows are no lag.
    view = VIEWS.get(name)
    patience = BEHIND + view.every + view.lateness if view else BEHIND
    behind = lag_seconds > patience.total_seconds()
    return Finding(f"view {name}", "behind" if behind else "ok", detail)


def _warm(lake: Lake, view: str) -> str:
    """Whether the newest windows of a view were scored by what knows enough of the past."""
    newest = pl.col("warm").filter(pl.col("end") == pl.col("end").max())
    try:
        if f"{SCORES}{view}" not in lake.tables():
            return "none yet"
        warm = lake.scan(f"{SCORES}{view}").select(newest.any()).collect().item()
    except LakeError as error:
        return f"unreadable: {error}"
    return "warm" if warm else "cold"


def _aside(lake: Lake, stream: str) -> list[Finding]:
    """Why rows of a stream became no window, and where they can be read."""
    name = f"{ASIDE}{stream}"
    try:
        if name not in lake.tables():
            return []
        by = lake.scan(name).group_by("kind", "reason").len().sort("kind", "reason").collect()
    except LakeError as error:
        return [Finding(name, "broken", str(error))]
    why = ", ".join(f"{count:,} {kind} ({reason})" for kind, reason, count in by.rows())
    return [Finding(name, "ok", f"{why}; each row with its reason is in {lake.root / name}")]


def _span(seconds: float) -> str:
    """A time in the largest unit of which there are two.

    >>> _span(90.4), _span(5400), _span(200000), _span(-3)
    ('90 s', '90 min', '2.3 d', '0 s')
    """
    for size, unit in ((86_400, "d"), (3_600, "h")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{max(seconds, 0):.0f} s"
