"""Runs the house: the stream loop, what is told and done, the API; a signal stops all of it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import Any

from features.catalogue import STREAMS
from pipeline.config import Config, read_config
from pipeline.lake import Lake
from pipeline.lake.upkeep import upkeep
from pipeline.sources.kinds import kinds_of
from pipeline.stream.live import run
from serving.house import House
from serving.settings import DEFAULT
from serving.watchers import Watcher, watchers

__all__ = ["configured", "listen", "repeat", "signalled", "up"]

ALERTS_S, OTHERS_S, LAKE_S = 5.0, 1.0, 3600.0


def configured(path: Path, *, report: Callable[[str], None] = print) -> Config:
    """The configuration in a file; where there is none, a first one is written.

    It watches this machine and takes pushes of every stream.

    Raises
    ------
    ConfigError
        It cannot be used.
    """
    if not path.exists():
        pushes = "".join(f"  - {{kind: push, name: push.{s}, stream: {s}}}\n" for s in STREAMS)
        path.write_text(DEFAULT + pushes, encoding="utf-8")
        report(f"wrote {path}: this machine is watched, and every stream takes pushes")
    config = read_config(path)
    kinds_of(config)
    return config


def up(
    config: Config,
    *,
    clock: Callable[[], datetime],
    stream: bool = True,
    serve: bool = True,
    report: Callable[[str], None] = print,
) -> None:
    """Run until SIGTERM or SIGINT; what was begun is finished.

    Parameters
    ----------
    stream, serve : bool
        Which half: sources, scores, alerts, messages and playbooks; the API and the pages.

    Raises
    ------
    ConfigError, RuleError, PlaybookError, StoreError
        The configuration cannot be used.
    Exception
        Whatever stopped the stream, which should have gone on.
    """
    house = House.open(config, clock=clock)
    stop, failed = Event(), list[Exception]()
    try:
        with signalled(stop):
            if key := house.first_key():
                report(f"the first admin key, shown once: {key}")
            if stream:
                house.threads += _stream(house, stop, failed)
            for thread in house.threads:
                thread.start()
            if serve:
                listen(house, stop, report)
            else:
                report("the stream runs")
                stop.wait()
            stop.set()
            for thread in house.threads:
                thread.join()
    finally:
        house.close()
    if failed:
        raise failed[0]


def _stream(house: House, stop: Event, failed: list[Exception]) -> list[Thread]:
    clock, engine, news = house.clock, house.alerts(), Event()

    def loop() -> None:
        run(house.config, clock=clock, sink=engine, stop=stop, news=news, report=_say)

    def alerts() -> None:
        with house.engine.begin() as connection:
            engine.tick(connection, now=clock())

    def lake() -> None:
        for table, rows in upkeep(Lake(house.config.home / "lake"), now=clock()).items():
            _say(f"lake: {rows:,} rows of {table} were older than is kept, and are deleted")

    def once(act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:
            failed.append(error)
        finally:
            stop.set()

    def every(name: str, seconds: float, act: Callable[[], object]) -> Thread:
        return Thread(target=repeat, args=(act, seconds, stop, stop.wait), name=name)

    def watch(watcher: Watcher) -> None:
        try:
            repeat(watcher.look, watcher.every, stop, watcher.wait or stop.wait)
        finally:
            watcher.close()

    return [
        Thread(target=once, args=(loop,), name="stream"),
        every("alerts", ALERTS_S, alerts),
        every("outbox", OTHERS_S, lambda: house.outbox.tick(now=clock())),
        every("playbooks", OTHERS_S, lambda: house.runner.tick(now=clock())),
        every("lake", LAKE_S, lake),
        *(Thread(target=watch, args=(one,), name=one.name) for one in watchers(house, news)),
    ]


def repeat(
    act: Callable[[], object], every: float, stop: Event, wait: Callable[[float], object]
) -> None:
    """Act again and again until told to stop; what fails is told once, and tried again.

    A database or a node that is away for a moment is asked again: what is due stays due.
    """
    name, fault = threading.current_thread().name, ""
    while not stop.is_set():
        wait(every)
        if stop.is_set():
            return
        try:
            act()
        except Exception as error:
            if fault != type(error).__name__:
                fault = type(error).__name__
                _say(f"{name}: {fault}: {error}")
        else:
            if fault:
                _say(f"{name}: works again")
            fault = ""


def listen(house: House, stop: Event, report: Callable[[str], None]) -> None:
    """Answer requests until told to stop; those that are being answered are finished."""
    import uvicorn

    from serving.api.app import make_app

    settings, tls = house.settings, house.settings.tls

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if self.started:
                port = self.servers[0].sockets[0].getsockname()[1]
                scheme = "https" if tls else "http"
                report(f"listening on {scheme}://{settings.host}:{port}")

        async def on_tick(self, counter: int) -> bool:
            return bool(await super().on_tick(counter) or stop.is_set())

    server = Server(
        uvicorn.Config(
            make_app(house),
            host=settings.host,
            port=settings.port,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
            ws="websockets-sansio",
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
    )
    server.run()


@contextmanager
def signalled(stop: Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT set an event; uvicorn, which listens too, hands them on."""

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {each: signal.signal(each, told) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
