"""The loop: events of all sources become scored windows in the lake, each exactly once.

A step reads a batch of each source, writes down what it is about to do, judges the rows, pushes
them through every view of their stream, scores what closes, appends to the lake, and commits
where it stands together with what the sink makes of it. Given its intent a step is deterministic,
so that one that was killed is done again to the same bytes (`pipeline.stream.checkpoint`).
"""

from __future__ import annotations

import fcntl
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event

import polars as pl

from features.view import FeatureView
from pipeline.lake import Lake, LakeError
from pipeline.lake.schema import ASIDE, SCORES
from pipeline.lifecycle.enlist import BusyError
from pipeline.lifecycle.snapshots import Snapshots
from pipeline.sources.source import Batch, Divided, Releasing, Source, SourceError
from pipeline.stream.adopt import Adopter, Models, begin_cold
from pipeline.stream.cases import Case, heard
from pipeline.stream.checkpoint import Checkpoint, Connection, DatabaseError, Intent
from pipeline.stream.follow import Follower, Outcome
from pipeline.stream.intake import FIRST_WAIT, LONGEST_WAIT, Intake, Taken
from pipeline.stream.options import Options
from pipeline.stream.sink import Sink, give

__all__ = ["Loop", "StreamBusyError"]

FAILURES = (LakeError, OSError, SourceError, DatabaseError)
"""What a step may fail with and be done again: disk, database, a source."""


class StreamBusyError(BusyError):
    """Another process runs this loop."""


class Loop:
    """All sources and views of one process.

    Parameters
    ----------
    sources : sequence of Source or Divided
    views : sequence of FeatureView
        Those whose stream has no source stay silent.
    lake : Lake
    checkpoint : Checkpoint
    home : Path
        Gets ``stream/<loop>`` with the scorers between steps, and ``snapshots/<view>``.
    sink : Sink, optional
    models : callable, optional
        By default every view begins cold.
    report : callable, optional
        Told in one line what fails and what works again.

    Raises
    ------
    StreamBusyError
        Another process runs the loop of this name in this home.
    DatabaseError
        The checkpoint cannot be used.
    """

    def __init__(
        self,
        sources: Sequence[Source | Divided],
        views: Sequence[FeatureView],
        *,
        lake: Lake,
        checkpoint: Checkpoint,
        home: Path,
        sink: Sink | None = None,
        models: Models = begin_cold,
        options: Options | None = None,
        report: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.options = options or Options()
        self.lake, self.checkpoint = lake, checkpoint
        self._sink, self._report = sink, report
        folder = home / "stream" / checkpoint.loop
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "_lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StreamBusyError(f"another process runs the loop in {folder}") from error
        # What failed in a process before this one is not known to fail still.
        checkpoint.forget_faults()
        self.intake = Intake(
            sources, future_tolerance=self.options.future_tolerance, report=self.source_fault
        )
        self.followers = {
            view.name: Follower(
                view,
                folder,
                idle_timeout=self.options.idle_timeout,
                future_tolerance=self.options.future_tolerance,
                explain_below=self.options.explain_below,
                snapshots=Snapshots(home / "snapshots" / view.name),
                snapshot_every=self.options.snapshot_every,
                seed=self.options.seed,
            )
            for view in views
        }
        self._adopter = Adopter(self.followers, models, lake, self.options.ask_models_every)
        self._step = 0
        self._intent: Intent | None = None
        self._restored = False

    def step(
        self,
        now: datetime,
        *,
        flush: bool = False,
        clock: Callable[[], datetime] | None = None,
    ) -> bool:
        """Do one step; False where there was nothing to do.

        Parameters
        ----------
        now : datetime
            Aware: the clock of a live loop, any time after the last event for a replay.
        flush : bool
            Close every window that holds an event: the end of a finite history.
        clock : callable, optional
            Says what time it is when the sources have been read, which may take a while.

        Raises
        ------
        LakeError, OSError, SourceError, DatabaseError
            The step could not be done; the next one tries it again.
        """
        if not self._restored:
            self._restore()
        intent = self._intent
        try:
            if intent is None:
                batches = self.intake.read(now)
                models = self._adopter.due(now)
                cases = self._heard(now)
                news = batches or models or cases or flush or self.intake.holding
                if not (news or any(f.due(now) for f in self.followers.values())):
                    return False
                until = {name: batch.position for name, batch in batches.items()}
                read_at = clock() if clock else now
                intent = Intent(self._step + 1, read_at, until, models, flush, cases)
                self.checkpoint.intend(intent)
            else:
                batches = self.intake.again(intent.until)
            self._carry_out(intent, batches)
        except BaseException:
            # What is in memory is neither before nor after the step.
            self._restored = False
            raise
        self._step, self._intent = intent.step, None
        return True

    def run(self, clock: Callable[[], datetime], stop: Event, news: Event | None = None) -> None:
        """Go on until told to stop; a step that fails is done again after a while.

        Parameters
        ----------
        clock : callable
            Gives the aware time.
        stop : threading.Event
            Looked at between steps.
        news : threading.Event, optional
            Ends a rest: a source announces that it has something.
        """
        failures, chance = 0, random.Random()
        while not stop.is_set():
            try:
                busy = self.step(clock(), clock=clock)
                if failures:
                    self._report("the loop goes on")
                failures = 0
                wait = timedelta(0) if busy else self.options.rest
            except FAILURES as error:
                failures += 1
                longest = min(FIRST_WAIT * 2 ** min(failures - 1, 20), LONGEST_WAIT)
                wait = longest * chance.uniform(0.5, 1.0)
                self._report(f"a step failed and will be done again in {wait}: {error}")
            resting = stop if failures or news is None else news
            resting.wait(wait.total_seconds())
            if news is not None:
                news.clear()

    def replay(self, now: datetime) -> int:
        """Read sources that end to their end, and close every window; return the steps done.

        Raises
        ------
        LakeError, OSError, SourceError, DatabaseError
            As `step`; beginning again goes on where this one stopped.
        """
        steps = 0
        while self.step(now):
            steps += 1
        if any(len(f.windower.state.pending) for f in self.followers.values()):
            steps += self.step(now, flush=True)
        return steps

    def close(self) -> None:
        """Close the sources and let another process run the loop."""
        self.intake.close()
        self._lock.close()

    def _restore(self) -> None:
        state = self.checkpoint.state()
        self._step, self._intent = state.step, state.intent
        self.intake.restore(state.sources)
        for name, follower in self.followers.items():
            follower.restore(state.views.get(name), state.learned.get(name, ()))
        self._adopter.forget()
        self._restored = True

    def _heard(self, now: datetime) -> dict[str, list[Case]]:
        scorers = {name: follower.scorer for name, follower in self.followers.items()}
        return heard(self._sink, self.checkpoint, scorers, now)

    def _carry_out(self, intent: Intent, batches: Mapping[str, Batch]) -> None:
        taken = self.intake.take(batches, intent.now, all_of_it=intent.flush)
        outcomes = dict(self._follow(intent, taken))
        for stream, parts in taken.aside.items():
            if parts:
                self._append(f"{ASIDE}{stream}", pl.concat(parts), intent)
        for name, outcome in outcomes.items():
            self._append(name, outcome.windows, intent)
            self._append(f"{SCORES}{name}", outcome.scores.drop("reasons"), intent)
        learned: dict[str, bytes | None] = {}
        for name, outcome in outcomes.items():
            moved = name in intent.cases or name in intent.models
            learned |= self.followers[name].keep(intent.step, outcome.windows, whole=moved)
        self.checkpoint.commit(
            intent,
            taken.moved,
            [self.followers[name].state() for name in outcomes],
            lambda connection: self._give(connection, outcomes, taken, intent),
            learned,
        )
        for name in outcomes:
            self.followers[name].forget()
        for state in taken.moved:
            source = self.intake.sources[state.source]
            if isinstance(source, Releasing) and state.position is not None:
                source.release(state.position)

    def _follow(self, intent: Intent, taken: Taken) -> Iterator[tuple[str, Outcome]]:
        """The outcome of each view that the step moves."""
        for name, follower in self.followers.items():
            adoption = intent.models.get(name)
            if adoption is not None:
                follower.adopt(adoption)
            stream = follower.view.stream
            events = taken.events.get(stream.name, stream.empty)
            cases = intent.cases.get(name, ())
            moves = len(events) or adoption or cases or intent.flush
            if moves or follower.due(intent.now):
                outcome = follower.step(events, intent.now, flush=intent.flush, cases=cases)
                if outcome.late is not None:
                    taken.aside.setdefault(stream.name, []).append(outcome.late)
                yield name, outcome

    def _append(self, table: str, rows: pl.DataFrame, intent: Intent) -> None:
        if len(rows):
            self.lake.append(table, rows, (self.checkpoint.loop, intent.step))

    def _give(
        self,
        connection: Connection,
        outcomes: Mapping[str, Outcome],
        taken: Taken,
        intent: Intent,
    ) -> None:
        views = {name: self.followers[name].view for name in outcomes}
        give(self._sink, connection, views, outcomes, taken.events, now=intent.now)

    def source_fault(
        self, name: str, error: str | None, failures: int, retry_at: datetime | None = None
    ) -> None:
        """Tell that a source fails, or with None that it works again, and keep it for the doctor.

        Raises
        ------
        DatabaseError
            It could not be kept.
        """
        if error is None:
            self._report(f"source {name}: works again")
            self.checkpoint.fault(name, None)
        else:
            self._report(f"source {name}: failed {failures} times: {error}")
            self.checkpoint.fault(name, error, failures=failures, retry_at=retry_at)
