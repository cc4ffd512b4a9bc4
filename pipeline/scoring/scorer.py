"""A view's arms together: windows in order go in, scores come out, then the windows are learned.

The same object trains on history, scores a data set and follows a stream: `Scorer.step` is all
there is, so a score never depends on anything later than its window.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baseline import Baseline
from features.stream import TIME
from features.view import FeatureView
from models.calibration import Calibration
from models.combine import cauchy_combination
from models.detector import State, StateError, state_value
from models.guard import Guard
from models.patience import Patience
from models.persistence import ModelFileError, read_state, write_state
from models.sample import Sample
from pipeline.scoring.arm import arms_of
from pipeline.scoring.expected import RANGES, expected_table
from pipeline.scoring.inputs import Seen, inputs
from pipeline.scoring.reasons import Evidence, Explanation

__all__ = ["EPOCH", "MICROSECOND", "SCORES", "Scorer"]

SCORES = {
    "entity": pl.String(),
    "start": TIME,
    "end": TIME,
    "score": pl.Float64(),
    "p": pl.Float64(),
    "per_day": pl.Float64(),
    "warm": pl.Boolean(),
    "reasons": pl.List(pl.String()),
}
"""Columns of every table of scores; ``p_<arm>`` columns follow, and ``raw_<arm>`` of an arm that
is no part of ``p``."""

VERSION = 2
STEP = 20_000
FIRST_FIT = 2_000
HISTORY = 10_000
MEMORY = 2_000_000
# Normal life brings no more of what the arms flag, in windows a day and as a share of all: these
# teach nothing. The share keeps a view with few windows from flagging most of them.
FLAGGED_PER_DAY, FLAGGED_SHARE = 24.0, 0.005
MARGIN = timedelta(minutes=10)
EXPLAINED_PER_DAY = 24.0
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Scorer:
    """Baseline, detectors and calibrations of one view.

    Parameters
    ----------
    view : FeatureView
        Which windows are scored.
    seed : int
        Of the forests' random cuts and of the samples kept.
    """

    def __init__(self, view: FeatureView, *, seed: int = 0) -> None:
        self.view = view
        self.seed = seed
        self.baseline = Baseline(view)
        self.inputs = inputs(view)
        self.width = sum(len(given.columns) for given in self.inputs.values())
        self.history = Sample(HISTORY, self.width, seed=seed, memory=MEMORY)
        self.next_fit = FIRST_FIT
        self.arms = arms_of(self.inputs, seed=seed)
        self._weights = np.array([arm.weight for arm in self.arms])
        self.guard = Guard(self.width + len(self.arms), seed=seed, margin=MARGIN // MICROSECOND)
        self.patience = Patience()
        self.explained: list[Explanation] = []
        self.ranges = pl.DataFrame(schema=RANGES)

    @property
    def warm(self) -> bool:
        """Whether every arm has enough past to say how rare a window is."""
        return all(arm.detector.warm and arm.calibration.warm for arm in self.arms)

    @property
    def fitted(self) -> bool:
        """Whether every detector was fitted, so that the scorer can be saved."""
        return all(arm.detector.warm for arm in self.arms)

    def run(self, windows: pl.DataFrame) -> pl.DataFrame:
        """Score and learn a whole history, in steps that its length alone decides."""
        steps = [self.step(windows[i : i + STEP]) for i in range(0, len(windows), STEP)]
        return pl.concat(steps) if steps else pl.DataFrame(schema=SCORES)

    def step(
        self, windows: pl.DataFrame, *, explain_below: float = 0.0, ranges: bool = False
    ) -> pl.DataFrame:
        """Score windows with what was learned before them, then learn them.

        Parameters
        ----------
        windows : polars.DataFrame
            Windows of the view, sorted by (start, entity), none before the last step's.
        explain_below : float
            Warm windows that normal life brings less often, 1/day, are explained in full, in
            order, in ``explained``, until the next step.
        ranges : bool
            Whether to say in ``ranges``, until the next step, what each feature of each window
            may be: `RANGES`, in the order of windows and features, NaN while unknown.

        Returns
        -------
        polars.DataFrame
            `SCORES` and one ``p_<arm>`` column an arm, a row for each window.
        """
        deviations = self.baseline.update(windows)
        number = self.baseline.numbers(windows["entity"])
        start, warm = windows["start"].to_physical().to_numpy(), self.warm
        evidence, p = self._judge(Seen(deviations, number, start))
        seen, raw, p_by_arm, daily = evidence.seen, evidence.raw, evidence.p, evidence.daily
        beside = [(i, arm) for i, arm in enumerate(self.arms) if not arm.weight]
        rare = np.flatnonzero(warm & (p * daily < explain_below))
        self.explained = evidence.explain(windows, rare, explain_below)
        self.ranges = expected_table(evidence, windows) if ranges else pl.DataFrame(schema=RANGES)
        scores = windows.select("entity", "start", "end").with_columns(
            pl.Series("score", -np.log10(p)),
            pl.Series("p", p),
            pl.Series("per_day", p * daily),
            pl.lit(warm).alias("warm"),
            evidence.reasons(warm & ((p * daily < EXPLAINED_PER_DAY) | evidence.certain)),
            *(pl.Series(f"p_{arm.name}", p_by_arm[:, i]) for i, arm in enumerate(self.arms)),
            *(pl.Series(f"raw_{a.name}", raw[:, i]).fill_nan(None) for i, a in beside),
        )
        share = min(FLAGGED_PER_DAY / daily, FLAGGED_SHARE) if len(windows) else 0.0
        # The share is divided among the arms, so that together they flag no more.
        judging = np.array([arm.kind.learns != "everything" for arm in self.arms])
        flagged = p_by_arm[:, judging].min(axis=1) < share / judging.sum()
        entity, end = windows["entity"].to_list(), windows["end"].to_physical().to_numpy()
        flagged &= ~self.patience.lost(number, flagged)
        rows = np.hstack([seen, raw])
        for arm in self.arms:
            arm.follow(seen, seed=self.seed)
        learned = self.guard.admit(
            np.array(entity, np.str_), end, flagged, rows, share=share, wait=self.fitted
        )
        self._learn(learned)
        return scores

    @property
    def until(self) -> datetime:
        """When the newest window that was scored ended; the scorer is ready for what follows.

        Raises
        ------
        OverflowError
            No window was scored yet.
        """
        return EPOCH + self.guard.clock * MICROSECOND

    def hold(self, entity: str, since: datetime) -> None:
        """Learn nothing from an entity's windows until its incident, begun at ``since``, is judged.

        This reaches back to 10 minutes before ``since`` if told of within 10 minutes. What was
        learned by then, and what the baseline takes from every window, by at most 4 spreads, goes
        only with a rollback (`pipeline.lifecycle.snapshots`).
        """
        self.guard.hold(entity, (since - EPOCH) // MICROSECOND)

    def judge(self, entity: str, *, real: bool | None) -> None:
        """Close the incident of an entity: throw its windows away if real, learn all if not.

        Where nobody said, None, they are learned like any others. Raises KeyError where no
        incident of the entity is open.
        """
        self._learn(self.guard.judge(entity, real=real))

    def save(self, path: Path, *, cold: bool = False) -> None:
        """Write all that was learned to one file, whole or not at all.

        Parameters
        ----------
        cold : bool
            Whether detectors that are not fitted yet may be left out: a stream goes on from such
            a file as from any other, but it is no model.

        Raises
        ------
        NotWarmError
            The view has not enough history yet for its detectors to be fitted.
        """
        parts: dict[str, State] = {
            "baseline": self.baseline.state(),
            "history": {"rows": self.history.rows.copy(), "seen": self.history.seen},
            "guard": self.guard.state(),
            "patience": self.patience.state(),
        }
        left_out = [a.detector.name for a in self.arms if cold and not a.detector.warm]
        for arm in self.arms:
            if arm.detector.name not in left_out:
                parts[f"{arm.name}/detector"] = arm.detector.state()
            parts[f"{arm.name}/calibration"] = arm.calibration.state()
        state: dict[str, Any] = {
            "features": list(self.view.names),
            "seed": self.seed,
            "next_fit": self.next_fit,
            "cold": left_out,
        }
        for part, values in parts.items():
            state |= {f"{part}/{key}": value for key, value in values.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_state(path, self.view.name, VERSION, state)

    @classmethod
    def load(cls, view: FeatureView, path: Path) -> Scorer:
        """Read what `save` wrote.

        Raises
        ------
        FileNotFoundError
            There is no such file.
        ModelFileError
            The file is damaged, or of another view, version, or set of features.
        """
        name, version, state = read_state(path)
        if (name, version) != (view.name, VERSION):
            raise ModelFileError(
                f"{path} holds {name} version {version}; expected {view.name} version {VERSION}"
            )
        try:
            if state_value(state, "features", list) != list(view.names):
                raise StateError(f"its features are not those of {view.name} now; train it again")
            new = cls(view, seed=state_value(state, "seed", int))
            new.next_fit = state_value(state, "next_fit", int)
            new.baseline = Baseline.from_state(view, _part(state, "baseline"))
            new.history.restore(_part(state, "history"))
            new.guard.restore(_part(state, "guard"))
            new.patience.restore(_part(state, "patience"))
            left_out = state_value(state, "cold", list) if "cold" in state else []
            for arm in new.arms:
                if arm.detector.name not in left_out:
                    part = _part(state, f"{arm.name}/detector")
                    arm.detector = arm.detector.from_state(part)
                part = _part(state, f"{arm.name}/calibration")
                arm.calibration = Calibration.from_state(part)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds no valid model: {error}") from error
        return new

    def peek(
        self, entity: Sequence[str], start: NDArray[np.int64], values: NDArray[np.float64]
    ) -> tuple[Evidence, NDArray[np.float64]]:
        """Judge n windows, each as if it came next, alone, and learn nothing.

        Given as to `Baseline.peek`; gives what the scores are made of, and tail probabilities.
        """
        number, deviations = self.baseline.peek(entity, start, values)
        return self._judge(Seen(deviations, number, start))

    def _judge(self, told: Seen) -> tuple[Evidence, NDArray[np.float64]]:
        seen = np.hstack([given.build(told) for given in self.inputs.values()])
        scored = zip(*(arm.score(seen) for arm in self.arms), strict=True)
        raw, by_arm = (np.column_stack(part) for part in scored)
        p = cauchy_combination(by_arm, self._weights)
        # Before any arm can judge nothing is known, and nothing is called rare.
        p[(by_arm == 1.0).all(axis=1)] = 1.0
        daily = self.baseline.active * (DAY / self.view.every)
        return Evidence(self.view, self.arms, told.deviations, seen, raw, by_arm, daily), p

    def _learn(self, rows: NDArray[np.float64]) -> None:
        """Learn rows that the guard lets go: what the arms saw, and each arm's raw score of it."""
        seen = rows[:, : self.width]
        for arm, raw in zip(self.arms, rows[:, self.width :].T, strict=True):
            arm.learn(seen, raw)
        self.history.add(seen)
        if self.history.seen >= self.next_fit:
            self._fit()
            self.next_fit = 2 * self.history.seen

    def _fit(self) -> None:
        """Fit the batch arms anew, and start the online arms once, from a sample of the past."""
        waiting = self.guard.rows[:, : self.width]
        for column, arm in enumerate(self.arms, self.width):
            if arm.fit(self.history.rows, seed=self.seed):
                # The scores of what waits are another forest's.
                self.guard.rows[:, column] = arm.detector.score(arm.of(waiting))


def _part(state: State, part: str) -> dict[str, Any]:
    """The values of a state whose keys begin with the name of a part."""
    prefix = f"{part}/"
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
