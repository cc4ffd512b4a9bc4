"""Events that arrive become windows that are closed.

A clock says how far event time has come, a tumbling grid says which window an event belongs to,
and `extract` folds the events of a closed window. Whatever the batches and the order of events
within the lateness, the same windows come out, and each once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from features.extract import US, extract, last_events, of_entities
from features.novelty import REMEMBERED_FOR
from features.silence import fill_silence, known_entities
from features.stream import TIME
from features.view import FeatureView

__all__ = ["Closed", "Windower", "WindowerState"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Closed:
    """What one step of a `Windower` gives back: nothing that came in is lost.

    ``windows`` are complete and come once; ``late`` events belong to windows already closed;
    ``future`` events are stamped too far ahead of the clock to be believed.
    """

    windows: pl.DataFrame
    late: pl.DataFrame
    future: pl.DataFrame


# Frames have no truth value to compare by.
@dataclass(frozen=True, eq=False)
class WindowerState:
    """All that a `Windower` remembers, as frames and times, for a checkpoint."""

    pending: pl.DataFrame
    previous: pl.DataFrame
    newest: datetime | None = None
    closed_until: datetime | None = None
    last_arrival: datetime | None = None


class Windower:
    """Turn batches of events into closed windows of one view.

    A window is closed when the newest event is ``view.lateness`` past its end. Closed windows
    come in order of (start, entity), also from one step to the next.

    Parameters
    ----------
    view : FeatureView
        What to measure.
    idle_timeout : timedelta
        When no event came for this long, `advance` lets event time follow the clock, so that
        the last windows close and silence shows.
    future_tolerance : timedelta
        An event further than this ahead of the clock is put aside and moves nothing.
    state : WindowerState, optional
        Where an earlier windower stopped.

    Source: the watermark of Akidau et al., The Dataflow Model, VLDB 2015.
    """

    def __init__(
        self,
        view: FeatureView,
        *,
        idle_timeout: timedelta = timedelta(seconds=30),
        future_tolerance: timedelta = timedelta(seconds=10),
        state: WindowerState | None = None,
    ) -> None:
        self.view = view
        self.idle_timeout = idle_timeout
        self.future_tolerance = future_tolerance
        self.state = state or WindowerState(view.stream.empty, view.stream.empty)

    def push(self, events: pl.DataFrame, now: datetime) -> Closed:
        """Take valid events, in order of arrival, and close what they complete.

        Parameters
        ----------
        events : polars.DataFrame
            Valid events of the view's stream. What names no entity of the view is passed over.
        now : datetime
            Aware time of arrival.
        """
        events = of_entities(self.view, events)
        future = events[self.view.stream.time] > now + self.future_tolerance
        present = events.filter(~future)
        if present.is_empty():
            return self._close(present, events)
        late = self._late(present)
        on_time = present.filter(~late)
        s = self.state
        self.state = replace(
            s,
            pending=pl.concat([s.pending, on_time]),
            newest=_latest(s.newest, self._newest(present)),
            last_arrival=now,
        )
        return self._close(present.filter(late), events.filter(future))

    def advance(self, now: datetime) -> Closed:
        """Let time pass without an event: after ``idle_timeout`` event time follows the clock.

        It keeps the distance that events had when they last came: those of a chain come
        confirmed, more than a minute old, and must not be late for having been quiet.
        """
        s = self.state
        nothing = s.pending.clear()
        until = None
        if s.newest is not None and s.last_arrival is not None:
            idle = now - s.last_arrival - self.idle_timeout
            if idle >= timedelta(0):
                until = self._start(s.newest + idle - self.view.lateness)
        return self._close(nothing, nothing, until)

    def flush(self) -> Closed:
        """Close every window that holds an event: the end of a finite history."""
        nothing = self.state.pending.clear()
        newest = self._newest(self.state.pending)
        until = None if newest is None else self._start(newest) + self.view.every
        return self._close(nothing, nothing, until)

    def _newest(self, events: pl.DataFrame) -> datetime | None:
        newest = events[self.view.stream.time].max()
        assert newest is None or isinstance(newest, datetime)
        return newest

    def _start(self, at: datetime) -> datetime:
        return at - (at - EPOCH) % self.view.every

    def _late(self, events: pl.DataFrame) -> pl.Series:
        """Whether each event's window had closed before the event came: row by row, so that
        the answer does not depend on how events are cut into batches."""
        at = pl.col(self.view.stream.time).to_physical()
        every, lateness = self.view.every // US, self.view.lateness // US
        closed = (at.cum_max() - lateness) // every * every
        if self.state.closed_until is not None:
            closed = pl.max_horizontal(closed, (self.state.closed_until - EPOCH) // US)
        return events.select(at < closed).to_series()

    def _close(
        self, late: pl.DataFrame, future: pl.DataFrame, until: datetime | None = None
    ) -> Closed:
        s = self.state
        if until is None and s.newest is not None:
            until = self._start(s.newest - self.view.lateness)
        if until is None or (s.closed_until is not None and until <= s.closed_until):
            return Closed(pl.DataFrame(schema=dict(self.view.schema)), late, future)
        closes = s.pending[self.view.stream.time] < until
        ready = s.pending.filter(closes)
        windows = fill_silence(
            self.view,
            extract(self.view, ready, previous=s.previous),
            known=known_entities(self.view, s.previous),
            since=s.closed_until,
            until=until,
        )
        self.state = replace(
            s,
            pending=s.pending.filter(~closes),
            previous=self._remember(ready, until),
            closed_until=until,
        )
        return Closed(windows, late, future)

    def _remember(self, ready: pl.DataFrame, until: datetime) -> pl.DataFrame:
        """The last event of each entity that is not forgotten yet, and what it remembers."""
        last = last_events(self.view, pl.concat([self.state.previous, ready]))
        at = pl.col(self.view.stream.time).to_physical()
        start = (at - at % (self.view.every // US)).cast(TIME)
        forget_after = self.view.forget_after
        if self.view.remember:
            forget_after = max(forget_after, REMEMBERED_FOR)
        return last.filter(start + forget_after >= until)


def _latest(*times: datetime | None) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
