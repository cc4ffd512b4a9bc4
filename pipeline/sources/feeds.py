"""Feeds: what is asked at a cadence and gives each answer once, into a spool."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from threading import Event, Thread
from typing import Protocol

from pipeline.sources.host import HostSource
from pipeline.sources.source import told
from pipeline.sources.spool import Spool

__all__ = ["Feed", "Feeds", "HostFeed"]

TICK = 0.5
"""Seconds between two looks at whether something is due."""


class Feed(Protocol):
    """Something that is asked from time to time."""

    @property
    def name(self) -> str:
        """Of the source that it feeds."""

    def poll(self, now: datetime) -> bool:
        """Ask if it is due, and put the answer into the spool; whether it was due.

        Raises
        ------
        SourceError, SpoolFullError, OSError
            There is no answer, or no room for it: nothing is put there.
        """

    def close(self) -> None:
        """Give up connections."""


class HostFeed:
    """Samples of this machine at their cadence (`pipeline.sources.host.CADENCE`).

    Parameters
    ----------
    name : str
        Of the sources.
    host : HostSource
        What is sampled.
    spools : mapping of stream name to Spool
    """

    def __init__(self, name: str, host: HostSource, spools: Mapping[str, Spool]) -> None:
        self.name = name
        self._host = host
        self._spools = spools

    def poll(self, now: datetime) -> bool:
        """See `Feed`."""
        samples = self._host.sample(now)
        for stream, rows in samples.items():
            self._spools[stream].append(rows)
        return bool(samples)

    def close(self) -> None:
        """See `Feed`."""


class Feeds:
    """Each feed in a thread of its own: one that hangs holds up no other.

    Parameters
    ----------
    feeds : sequence of Feed
    clock : callable
        Gives the aware time.
    report : callable
        Told the feed and the error when one fails, and how often it did in a row; None when it
        works again.
    """

    def __init__(
        self,
        feeds: Sequence[Feed],
        clock: Callable[[], datetime],
        report: Callable[[str, str | None, int], None],
    ) -> None:
        self._clock, self._report = clock, report
        self._stop = Event()
        self._threads = [
            Thread(target=self._run, args=(feed,), name=f"feed {feed.name}", daemon=True)
            for feed in feeds
        ]

    def start(self) -> None:
        """Begin to ask."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask no more, and wait for those that are being asked."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, feed: Feed) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                if feed.poll(self._clock()) and failures:
                    failures = 0
                    self._report(feed.name, None, 0)
            # Whatever a feed raises, it is asked again.
            except Exception as error:
                failures += 1
                self._report(feed.name, told(error), failures)
            self._stop.wait(TICK)
        feed.close()
