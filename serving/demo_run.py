"""Runs the demonstration: live with the pages, or all of it as fast as it goes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

from serving.demo import QUIET, SLICE, USER, Demo, demonstration
from serving.demo_text import block, table
from serving.up import listen, signalled

__all__ = ["live", "once"]

EVERY_S = 5.0
ONCE = 2 * SLICE
LEAST = timedelta(minutes=1)
Progress = Callable[[str, float], None]


def once(
    home: Path,
    *,
    seed: int,
    quiet: timedelta = QUIET,
    numbers: Collection[int] | None = None,
    progress: Progress = lambda step, share: None,
) -> dict[str, Any]:
    """Play everything as fast as it goes.

    Returns
    -------
    dict
        `serving.demo_told.result`, and ``alerts``: each as it was told, in order.
    """
    with demonstration(home, seed=seed, quiet=quiet, numbers=numbers, progress=progress) as demo:
        told, begin, end = [], demo.now, demo.cast.end
        while demo.now < end:
            progress("attacks and their twins play", (demo.now - begin) / (end - begin))
            demo.advance(min(demo.now + ONCE, end))
            told += [one.json for one in demo.news()]
        progress("done", 1.0)
        return demo.result() | {"alerts": told}


def live(
    home: Path,
    *,
    seed: int,
    speed: float,
    port: int,
    say: Callable[[str], None],
    progress: Callable[[], AbstractContextManager[Progress]],
    numbers: Collection[int] | None = None,
    quiet: timedelta = QUIET,
) -> int:
    """Play on, so many times as fast as real life, until SIGINT or SIGTERM; serve the pages.

    Returns
    -------
    int
        1 where the demonstration stopped by itself.
    """
    stop, failed = Event(), Event()
    with ExitStack() as stack:
        with progress() as tell:
            demo = stack.enter_context(
                demonstration(
                    home, seed=seed, port=port, quiet=quiet, numbers=numbers, progress=tell
                )
            )
        stack.enter_context(signalled(stop))
        password = secrets.token_urlsafe(12)
        demo.invite(password)
        say(f"sign in as {USER} with the password {password}; Ctrl-C ends the demonstration\n")

        def play() -> None:
            try:
                _play(demo, speed, stop, say)
            except Exception as error:
                say(f"stopped: {type(error).__name__}: {error}")
                failed.set()
            finally:
                stop.set()

        player = Thread(target=play, name="demonstration")
        player.start()
        try:
            listen(demo.house, stop, say)
        finally:
            stop.set()
            player.join()
        say(table(demo.result()))
    return int(failed.is_set())


def _play(demo: Demo, speed: float, stop: Event, say: Callable[[str], None]) -> None:
    every = min(max(timedelta(seconds=EVERY_S) * speed, LEAST), SLICE)
    while not stop.is_set():
        began = time.monotonic()
        demo.advance(demo.now + every)
        for one in demo.news():
            say(block(one) + "\n")
        if demo.now >= demo.cast.end:
            say(table(demo.result()) + "\n\nEverything plays again.\n")
            demo.again()
        # What takes longer than it may is late from then on; it is not caught up with.
        stop.wait(max(every.total_seconds() / speed - (time.monotonic() - began), 0.0))
