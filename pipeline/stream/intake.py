"""What the loop reads: sources in turn, judged at the border, merged by event time.

Where several sources feed a stream, the one that is ahead waits: its rows beyond the newest of
the slowest are held back, or they would make the others' rows late.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import polars as pl

from features.stream import Stream
from pipeline.sources.source import Batch, Divided, Position, Source, SourceError, told
from pipeline.stream.border import aside, aside_lines, judge, pack, unpack
from pipeline.stream.checkpoint import SourceState

__all__ = ["Intake", "Lane", "Taken"]

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=1), timedelta(minutes=5)
DIVIDED_AGAIN = timedelta(minutes=5)
"""How long until a divided source is asked again for its parts: a topic may grow."""
PATIENCE = 1.0
"""Seconds that a step waits for those that failed before: a broker that is down is slow to fail."""

T = TypeVar("T")


@dataclass(kw_only=True)
class Turn:
    """When something is asked again; after a failure later and later."""

    failures: int = 0
    retry_at: datetime | None = None
    asked: Future[Any] | None = None

    def waits(self, now: datetime) -> bool:
        """Whether it is left alone for now."""
        return self.retry_at is not None and now < self.retry_at


@dataclass
class Lane(Turn):
    """One source as the loop sees it."""

    source: Source
    state: SourceState
    held: pl.DataFrame

    @property
    def stream(self) -> Stream:
        """Of the source."""
        return self.source.stream


@dataclass(frozen=True)
class Taken:
    """What one step takes in: events by stream, what was put aside by stream, and lanes moved."""

    events: dict[str, pl.DataFrame] = field(default_factory=dict)
    aside: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    moved: list[SourceState] = field(default_factory=list)


class Intake:
    """All sources of a loop.

    Parameters
    ----------
    sources : sequence of Source or Divided
        Of different names. The parts of a divided one join as they are found.
    future_tolerance : timedelta
        Events further than this ahead of the clock are put aside.
    report : callable
        Told the source and the error when one fails, how often it did in a row and when it will
        be tried again; None when it works again.

    Raises
    ------
    ValueError
        Two sources have one name.
    """

    def __init__(
        self,
        sources: Sequence[Source | Divided],
        *,
        future_tolerance: timedelta,
        report: Callable[[str, str | None, int, datetime | None], None],
    ) -> None:
        if len({source.name for source in sources}) < len(sources):
            raise ValueError(f"sources {[s.name for s in sources]}: expected different names")
        self._divided = {s.name: (s, Turn()) for s in sources if isinstance(s, Divided)}
        self.sources = {s.name: s for s in sources if not isinstance(s, Divided)}
        self.lanes: dict[str, Lane] = {}
        self._states: Mapping[str, SourceState] = {}
        self._tolerance = future_tolerance
        self._report = report
        self._chance = random.Random(0)
        self._aside = ThreadPoolExecutor(32, "source")

    def restore(self, states: Mapping[str, SourceState]) -> None:
        """Go on from a checkpoint; a source that it does not know begins."""
        before, self.lanes, self._states = self.lanes, {}, states
        for name, source in self.sources.items():
            lane = self.lanes[name] = self._begin(source)
            if name in before:
                old = before[name]
                lane.failures, lane.retry_at, lane.asked = old.failures, old.retry_at, old.asked

    @property
    def holding(self) -> bool:
        """Whether rows wait for a slower source."""
        return any(len(lane.held) for lane in self.lanes.values())

    def read(self, now: datetime) -> dict[str, Batch]:
        """A batch of each source that has one; a source that fails is left alone for a while."""
        self._divide(now)
        due = {
            name: (lane, partial(lane.source.read, lane.state.position))
            for name, lane in self.lanes.items()
            if not (len(lane.held) or lane.waits(now))
        }
        batches = {}
        for name, batch in self._answers(due, now):
            self._worked(name, self.lanes[name], None)
            if batch is not None:
                batches[name] = batch
        return batches

    def again(self, until: Mapping[str, Position]) -> dict[str, Batch]:
        """The batches that a step had that was killed.

        Raises
        ------
        SourceError
            A source is not there, or cannot give them again.
        """
        if until.keys() - self.lanes.keys():
            for whole, _ in self._divided.values():
                self._join(whole.parts())
        batches = {}
        for name, position in until.items():
            if name not in self.lanes:
                raise SourceError(f"source {name} is not configured, but a step of it is not done")
            lane = self.lanes[name]
            batch = lane.source.read(lane.state.position, until=position)
            if batch is None:
                raise SourceError(f"source {name} has no rows up to {position} any more")
            batches[name] = batch
        return batches

    def take(self, batches: Mapping[str, Batch], now: datetime, *, all_of_it: bool) -> Taken:
        """Judge batches, move the lanes on, and give the events that may be pushed now.

        Parameters
        ----------
        all_of_it : bool
            Hold nothing back: the sources are at their end.
        """
        taken = Taken()
        rows = {name: self._judge(self.lanes[name], batches[name], now, taken) for name in batches}
        before = {name: lane.held for name, lane in self.lanes.items()}
        for stream in {lane.stream.name: lane.stream for lane in self.lanes.values()}.values():
            lanes = [lane for lane in self.lanes.values() if lane.stream.name == stream.name]
            merged = self._merge(stream, lanes, rows, all_of_it=all_of_it)
            if len(merged):
                taken.events[stream.name] = merged
        for name, lane in self.lanes.items():
            if name in batches or lane.held is not before[name]:
                held = pack(lane.held) if len(lane.held) else None
                lane.state = replace(lane.state, held=held)
                taken.moved.append(lane.state)
        return taken

    def close(self) -> None:
        """Close all sources, when those that are being read have answered."""
        self._aside.shutdown(cancel_futures=True)
        for source in self.sources.values():
            source.close()

    def _judge(self, lane: Lane, batch: Batch, now: datetime, taken: Taken) -> pl.DataFrame:
        """The believable events of a batch; counts and puts aside the others."""
        name, stream, state = lane.source.name, lane.stream, lane.state
        away = taken.aside.setdefault(stream.name, [])
        refused = 0
        if batch.refused is not None and len(batch.refused):
            away.append(aside_lines(name, batch.refused, now=now))
            refused += len(batch.refused)
        valid = judge(stream, batch.events, now=now, first_id=state.given)
        if len(valid.refused):
            away.append(aside("refused", name, valid.refused, now=now))
            refused += len(valid.refused)
        ahead = valid.events[stream.time] > now + self._tolerance
        events = valid.events
        if ahead.any():
            future = events.filter(ahead)
            away.append(aside("future", name, future, now=now, reason="ahead of the clock"))
            events = events.filter(~ahead)
        newest = events[stream.time].max()
        assert newest is None or isinstance(newest, datetime)
        lane.state = replace(
            state,
            position=batch.position,
            given=state.given + batch.given,
            refused=state.refused + refused,
            future=state.future + int(ahead.sum()),
            newest=max(filter(None, (state.newest, newest)), default=None),
        )
        return events

    def _merge(
        self, stream: Stream, lanes: list[Lane], rows: dict[str, pl.DataFrame], *, all_of_it: bool
    ) -> pl.DataFrame:
        """The events up to the newest of the slowest lane, in order of time; holds the others."""
        if len(lanes) == 1:
            return rows.get(lanes[0].source.name, stream.empty)
        parts = [pl.concat([lane.held, rows.get(lane.source.name, stream.empty)]) for lane in lanes]
        newest = [part[stream.time].max() for part in parts if len(part)]
        if not newest:
            return stream.empty
        at = pl.col(stream.time)
        now = pl.lit(True) if all_of_it else at <= min(newest)  # type: ignore[type-var]
        for lane, part in zip(lanes, parts, strict=True):
            ahead = part.filter(~now)
            if len(ahead) or len(lane.held):
                lane.held = ahead
        return pl.concat(part.filter(now) for part in parts).sort(stream.time, maintain_order=True)

    def _begin(self, source: Source) -> Lane:
        """A lane that goes on where the checkpoint has the source."""
        state = self._states.get(source.name, SourceState(source.name, source.stream.name))
        held = source.stream.empty if state.held is None else unpack(state.held)
        return Lane(source, state, held)

    def _divide(self, now: datetime) -> None:
        """Let parts join that are new."""
        due = {
            name: (turn, whole.parts)
            for name, (whole, turn) in self._divided.items()
            if not turn.waits(now)
        }
        for name, parts in self._answers(due, now):
            self._join(parts)
            self._worked(name, due[name][0], now + DIVIDED_AGAIN)

    def _answers(
        self, due: Mapping[str, tuple[Turn, Callable[[], T]]], now: datetime
    ) -> Iterator[tuple[str, T]]:
        """What each answers that is asked; whatever it raises, the others go on.

        One that failed before is asked in a thread, and heard in a later step if it takes long.
        """
        again = [(turn, ask) for turn, ask in due.values() if turn.failures and not turn.asked]
        for turn, ask in again:
            turn.asked = self._aside.submit(ask)
        wait([turn.asked for turn, _ in again if turn.asked], PATIENCE)
        for name, (turn, ask) in due.items():
            asked = turn.asked
            if asked is not None and not asked.done():
                continue
            turn.asked = None
            try:
                answer = asked.result() if asked else ask()
            except Exception as error:
                self._failed(name, turn, error, now)
            else:
                yield name, answer

    def _join(self, parts: Sequence[Source]) -> None:
        for part in parts:
            if part.name not in self.sources:
                self.sources[part.name] = part
                self.lanes[part.name] = self._begin(part)

    def _worked(self, name: str, turn: Turn, retry_at: datetime | None) -> None:
        if turn.failures:
            self._report(name, None, 0, None)
        turn.failures, turn.retry_at = 0, retry_at

    def _failed(self, name: str, turn: Turn, error: Exception, now: datetime) -> None:
        turn.failures += 1
        wait = min(FIRST_WAIT * 2 ** min(turn.failures - 1, 20), LONGEST_WAIT)
        turn.retry_at = now + wait * self._chance.uniform(0.5, 1.0)
        self._report(name, told(error), turn.failures, turn.retry_at)
