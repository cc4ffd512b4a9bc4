"""The loop of a configuration: what `tocsin stream` runs, and how it stands."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any

from pipeline.config import Config
from pipeline.database import open_engine
from pipeline.lake import Lake
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.train import model_path
from pipeline.sources.feeds import Feeds
from pipeline.sources.kinds import Built, build
from pipeline.stream.adopt import Models, begin_cold, from_files, from_registry
from pipeline.stream.checkpoint import Checkpoint, DatabaseError, SourceState, StreamState
from pipeline.stream.loop import Loop
from pipeline.stream.options import Options
from pipeline.stream.sink import Sink

__all__ = ["checkpoint_of", "loop_of", "models_of", "run", "stream_status"]


def checkpoint_of(config: Config) -> Checkpoint:
    """The checkpoint of a configuration's loop.

    Raises
    ------
    ConfigError, StoreError, DatabaseError
        The database cannot be used.
    """
    config.home.mkdir(parents=True, exist_ok=True)
    return Checkpoint(open_engine(config.store_url), config.loop)


def loop_of(
    config: Config,
    built: Built,
    *,
    sink: Sink | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Loop:
    """The loop of a configuration over its sources."""
    return Loop(
        built.sources,
        config.chosen({source.stream.name for source in built.sources}),
        lake=Lake(config.home / "lake"),
        checkpoint=checkpoint_of(config),
        home=config.home,
        sink=sink,
        models=models_of(config),
        options=Options(idle_timeout=timedelta(seconds=config.idle_seconds)),
        report=report,
    )


def run(
    config: Config,
    *,
    clock: Callable[[], datetime],
    now: datetime | None = None,
    sink: Sink | None = None,
    stop: Event | None = None,
    news: Event | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Run a configuration until it is told to stop; the first SIGTERM or SIGINT tells it.

    Parameters
    ----------
    clock : callable
        Gives the aware time.
    now : datetime, optional
        Read what is there as of this time to its end, close every window, and return.
    stop : threading.Event, optional
        Another way to tell it.
    news : threading.Event, optional
        As in `pipeline.stream.loop.Loop.run`.

    Returns
    -------
    int
        Steps done; 0 for a loop that was told to stop.

    Raises
    ------
    ConfigError, SourceError, StreamBusyError
        It cannot begin.
    """
    stop = stop or Event()
    built = build(config, clock)
    loop = loop_of(config, built, sink=sink, report=report)
    try:
        if now is not None:
            return loop.replay(now)

        def fault(name: str, error: str | None, failures: int) -> None:
            with suppress(DatabaseError):
                loop.source_fault(name, error, failures)

        feeds = Feeds(built.feeds, clock, fault)
        with _signals(stop):
            feeds.start()
            try:
                loop.run(clock, stop, news)
            finally:
                feeds.stop()
        return 0
    finally:
        loop.close()
        loop.checkpoint.close()


def stream_status(state: StreamState, *, now: datetime) -> dict[str, Any]:
    """How a loop stands: for `tocsin doctor`, as JSON values.

    A source that has failed since it was configured is there too, with nothing given.

    Parameters
    ----------
    state : StreamState
        From `Checkpoint.state`.
    now : datetime
        Aware; lag is measured against it.
    """

    def behind(at: datetime | None) -> float | None:
        return None if at is None else (now - at).total_seconds()

    failing = {name: SourceState(name, "") for name in state.faults}
    return {
        "step": state.step,
        "committed_seconds": behind(state.committed),
        "unfinished_seconds": behind(state.intent.now if state.intent else None),
        "sources": {
            name: {
                "stream": s.stream,
                "position": s.position,
                "lag_seconds": behind(s.newest),
                "given": s.given,
                "accepted": s.given - s.refused - s.future,
                "refused": s.refused,
                "future": s.future,
                "error": state.faults.get(name, {}).get("error"),
                "failures": state.faults.get(name, {}).get("failures", 0),
            }
            for name, s in (failing | state.sources).items()
        },
        "views": {
            name: {
                "model": v.model,
                "state": v.state,
                "detail": v.detail,
                "accepted": v.accepted,
                "late": v.late,
                "windows": v.windows,
                "lag_seconds": behind(v.closed_until),
            }
            for name, v in state.views.items()
        },
    }


def models_of(config: Config) -> Models:
    """Where the models of a configuration come from; nothing is loaded yet."""
    if config.models == "cold":
        return begin_cold
    if config.models == "files":
        return from_files(lambda view: model_path(config.home, view))
    return from_registry(open_registry(config.home, config.registry), config.home)


@contextmanager
def _signals(stop: Event) -> Iterator[None]:
    """Let the first SIGTERM or SIGINT stop the loop after its step; the second one is the usual."""
    if current_thread() is not main_thread():
        yield
        return
    before: dict[signal.Signals, Any] = {}

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()
        for each, handler in before.items():
            signal.signal(each, handler)

    for each in (signal.SIGTERM, signal.SIGINT):
        before[each] = signal.signal(each, told)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
