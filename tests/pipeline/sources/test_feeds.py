"""Feeds are asked until they are told to stop; one that fails is asked again."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue

from features.catalogue import STREAMS
from pipeline.sources.feeds import Feeds, HostFeed
from pipeline.sources.host import CADENCE, HostSource
from pipeline.sources.source import SourceError
from pipeline.sources.spool import Spool, SpoolSource
from tests.streams import AFTER


def test_this_machine_becomes_samples_at_the_cadence_of_the_requirements(tmp_path: Path) -> None:
    spools = {name: Spool(tmp_path / name) for name in CADENCE}
    feed = HostFeed("host", HostSource("here"), spools)
    for seconds in range(0, 120, 5):
        feed.poll(AFTER + timedelta(seconds=seconds))
    times = {}
    for name, spool in spools.items():
        batch = SpoolSource(name, STREAMS[name], spool).read(None)
        if batch is not None:
            valid = STREAMS[name].validate(batch.events, now=AFTER + timedelta(days=1))
            assert valid.refused.counts == {}
            times[name] = len(valid.events["ts"].unique())
    assert (times["host"], times["disk"]) == (4, 2)


class Scripted:
    """Does what it is told to, each time that it is asked, and answers from there on."""

    def __init__(self, name: str, *first: str) -> None:
        self.name = name
        self.first = [*first]
        self.polled: Queue[datetime] = Queue()
        self.closed = False

    def poll(self, now: datetime) -> bool:
        told = self.first.pop(0) if self.first else "answer"
        if told == "down":
            raise SourceError("down")
        if told == "odd":
            raise KeyError("cpu")
        if told == "answer":
            self.polled.put(now)
        return told == "answer"

    def close(self) -> None:
        self.closed = True


def test_a_feed_that_fails_is_told_of_and_asked_again() -> None:
    said: Queue[tuple[str, str | None, int]] = Queue()
    bad, good = Scripted("bad", "down", "not due", "odd", "not due"), Scripted("good")
    feeds = Feeds([bad, good], lambda: AFTER, lambda *what: said.put(what))
    feeds.start()
    assert good.polled.get(timeout=300) == AFTER
    assert bad.polled.get(timeout=300) == AFTER
    feeds.stop()
    # It does not work again merely because it was not due.
    assert said.get() == ("bad", "down", 1)
    assert said.get() == ("bad", "KeyError: 'cpu'", 2)
    assert said.get() == ("bad", None, 0)
    assert bad.closed
    assert good.closed
