"""One view of the loop: events go in, scored windows come out, and where it stands can be kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from features.view import FeatureView
from features.windows import Windower, WindowerState
from models.persistence import ModelFileError
from pipeline.lifecycle.snapshots import Snapshots
from pipeline.scoring.reasons import Explanation
from pipeline.scoring.scorer import SCORES, STEP, Scorer
from pipeline.stream.adopt import COLD, THRESHOLDS
from pipeline.stream.border import aside, pack, unpack
from pipeline.stream.cases import Case, teach
from pipeline.stream.checkpoint import Adoption, ViewState
from pipeline.stream.kept import NPZ, Judge, Kept, Learned, learn

__all__ = ["Follower", "Outcome"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Outcome:
    """What one step gave for one view: closed windows, their scores, late events put aside.

    ``judge`` gives the file that holds the scorer as it was before the step, if there is one;
    ``model`` is the name of the model that it began as.
    """

    windows: pl.DataFrame
    scores: pl.DataFrame
    explained: list[Explanation] = field(default_factory=list)
    late: pl.DataFrame | None = None
    judge: Judge | None = None
    model: str = ""


class Follower:
    """The windower and the scorer of one view.

    Parameters
    ----------
    view : FeatureView
        What is measured.
    folder : Path
        Where scorers are kept between steps.
    idle_timeout, future_tolerance : timedelta
        As in `features.windows.Windower`.
    explain_below : float
        As in `pipeline.scoring.scorer.Scorer.step`.
    snapshots : Snapshots
        Where dated scorers go.
    snapshot_every : timedelta
        Of event time.
    seed : int
        Of a scorer that begins cold.
    """

    def __init__(
        self,
        view: FeatureView,
        folder: Path,
        *,
        idle_timeout: timedelta,
        future_tolerance: timedelta,
        explain_below: float,
        snapshots: Snapshots,
        snapshot_every: timedelta,
        seed: int = 0,
    ) -> None:
        self.view = view
        self.folder = folder
        self.snapshots = snapshots
        self._clock = {"idle_timeout": idle_timeout, "future_tolerance": future_tolerance}
        self._explain_below = explain_below
        self._snapshot_every = snapshot_every
        self._seed = seed
        self.restore(None)

    def restore(self, state: ViewState | None, learned: Learned = ()) -> None:
        """Go on from a checkpoint, or begin; a scorer that cannot be read is a named state."""
        self.model: str | None = None
        self.status, self.detail = THRESHOLDS, "no model yet"
        self.scorer: Scorer | None = None
        self._kept = Kept(self.view, self.folder)
        self.accepted = self.late = self.windows = 0
        # What a killed process was writing under a temporary name.
        for folder in (self.folder, self.snapshots.folder):
            for file in folder.glob(f".*{NPZ}.*"):
                file.unlink(missing_ok=True)
        start = None
        if state is not None:
            self.model, self.status, self.detail = state.model, state.state, state.detail
            self.accepted, self.late, self.windows = state.accepted, state.late, state.windows
            pending, previous = unpack(state.pending), unpack(state.previous)
            start = WindowerState(
                pending, previous, state.newest, state.closed_until, state.last_arrival
            )
            if state.scorer is not None:
                self._load(state.scorer, learned)
        self.windower = self._windower(start)

    def adopt(self, adoption: Adoption) -> None:
        """Take up another model, or none."""
        self.model, self.status, self.detail = adoption.model, adoption.state, adoption.detail
        self.scorer, self._kept = None, Kept(self.view, self.folder)
        if adoption.model == COLD:
            self.scorer = Scorer(self.view, seed=self._seed)
        elif adoption.file is not None:
            self._load(adoption.file)

    def due(self, now: datetime) -> bool:
        """Whether letting time pass until ``now`` closes a window."""
        trial = self._windower(self.windower.state)
        trial.advance(now)
        return trial.state.closed_until != self.windower.state.closed_until

    def step(
        self, events: pl.DataFrame, now: datetime, *, flush: bool, cases: Sequence[Case] = ()
    ) -> Outcome:
        """Take events, close what they or the time complete, score it and learn it.

        Parameters
        ----------
        cases : sequence of Case
            What became known of incidents.
        """
        before = self.windower.state.closed_until
        parts = [self.windower.push(events.rechunk(), now)] if len(events) else []
        parts.append(self.windower.flush() if flush else self.windower.advance(now))
        windows = pl.concat(part.windows for part in parts)
        late = pl.concat(part.late for part in parts)
        self.accepted += len(events) - len(late)
        self.late += len(late)
        self.windows += len(windows)
        # Sums depend on how a frame is cut into chunks: as after a restart, so always.
        state = self.windower.state
        self.windower.state = replace(
            state, pending=state.pending.rechunk(), previous=state.previous.rechunk()
        )
        judge = self._kept.judge
        outcome = Outcome(windows, *self._score(windows), judge=judge, model=self.model or "")
        if self.scorer is not None and cases:
            teach(self.scorer, cases)
        self._snapshot(before)
        if len(late):
            outcome.late = aside("late", self.view.name, late, now=now, reason="window was closed")
        return outcome

    def keep(self, step: int, windows: pl.DataFrame, *, whole: bool) -> dict[str, bytes | None]:
        """Keep what the scorer became in a step, for `Checkpoint.commit`; nothing where it slept.

        Parameters
        ----------
        windows : polars.DataFrame
            What it learned.
        whole : bool
            Whether something else has moved it.
        """
        if self.scorer is None:
            return {self.view.name: None}
        if not (whole or len(windows)) and self._kept.file is not None:
            return {}
        return {self.view.name: self._kept.keep(self.scorer, step, windows, whole=whole)}

    def state(self) -> ViewState:
        """Where the view stands after a step."""
        s = self.windower.state
        return ViewState(
            self.view.name,
            pack(s.pending),
            pack(s.previous),
            s.newest,
            s.closed_until,
            s.last_arrival,
            self._kept.file,
            self.model,
            self.status,
            self.detail,
            self.accepted,
            self.late,
            self.windows,
        )

    def prepare(self, scorer: Scorer, model: str, missed: Iterable[pl.DataFrame]) -> str:
        """Let a new model catch up with windows it has not seen, and keep it in a file.

        Returns
        -------
        str
            The file's name, for an `Adoption`.
        """
        for windows in missed:
            learn(scorer, windows)
        name = f"{self.view.name}-of-{''.join(c if c.isalnum() else '-' for c in model)}.npz"
        self.folder.mkdir(parents=True, exist_ok=True)
        scorer.save(self.folder / name)
        return name

    def forget(self) -> None:
        """Remove the files of scorers before the one of the checkpoint."""
        self._kept.forget()

    def _windower(self, state: WindowerState | None) -> Windower:
        return Windower(self.view, state=state, **self._clock)

    def _load(self, name: str, learned: Learned = ()) -> None:
        kept = Kept(self.view, self.folder, name, learned)
        try:
            self.scorer, self._kept = kept.scorer(), kept
        except (ModelFileError, OSError) as error:
            self.model, self.status, self.detail = None, THRESHOLDS, str(error)

    def _score(self, windows: pl.DataFrame) -> tuple[pl.DataFrame, list[Explanation]]:
        if self.scorer is None or windows.is_empty():
            return _unscored(windows), []
        parts, explained = [], []
        for i in range(0, len(windows), STEP):
            chunk = windows[i : i + STEP]
            parts.append(self.scorer.step(chunk, explain_below=self._explain_below))
            explained += self.scorer.explained
        return pl.concat(parts), explained

    def _snapshot(self, before: datetime | None) -> None:
        """Keep a dated scorer whenever event time enters a new interval."""
        after = self.windower.state.closed_until
        if self.scorer is None or not self.scorer.fitted or before is None or after is None:
            return
        if (after - EPOCH) // self._snapshot_every > (before - EPOCH) // self._snapshot_every:
            self.snapshots.take(self.scorer)


def _unscored(windows: pl.DataFrame) -> pl.DataFrame:
    """Scores of windows that nothing can score: cold, and nothing is called rare."""
    unknown = {"score": 0.0, "p": 1.0, "per_day": None, "warm": False}
    return windows.select(
        "entity",
        "start",
        "end",
        *(pl.lit(value, SCORES[name]).alias(name) for name, value in unknown.items()),
        pl.repeat([], len(windows), dtype=SCORES["reasons"]).alias("reasons"),
    )
