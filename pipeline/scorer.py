"""A view's arms together: windows in order go in, scores come out, then the windows are learned.

The same object trains on history, scores a data set and follows a stream: `Scorer.step` is all
there is, so a score never depends on anything later than its window.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baseline import Baseline, Deviations
from features.stream import TIME
from features.view import FeatureView
from models.calibration import Calibration
from models.combine import cauchy_combination
from models.detector import Detector, State, StateError, state_value
from models.guard import Guard
from models.half_space_trees import HalfSpaceTrees
from models.isolation_forest import IsolationForest
from models.nearest_normal import NearestNormal
from models.persistence import ModelFileError, read_state, write_state
from models.sample import Sample
from models.surge import Surge
from pipeline.arm import Arm
from pipeline.reasons import Evidence, Explanation

__all__ = ["SCORES", "Scorer"]

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
"""Columns of every table of scores; ``p_<arm>`` columns follow."""

VERSION = 1
STEP = 20_000
FIRST_FIT = 2_000
HISTORY = 10_000
MEMORY = 2_000_000
# The share of the false alarms that goes to the arm that alone finds most (docs/detection.md).
CHIEF_WEIGHT = 0.98
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
        self.history = Sample(HISTORY, len(view.names), seed=seed, memory=MEMORY)
        self.next_fit = FIRST_FIT
        self._main = [view.names.index(name) for name in view.main]
        self._sign = np.array([_SIGNS[f.direction] for f in view.features])
        # The arm that tells far from further: amounts where the view names its main ones, else
        # the distance to what was normal.
        chief: Detector = Surge(view.main) if view.main else NearestNormal(view.names)
        self.arms = [
            Arm(kind(view.names), Calibration(bounded=True, seed=seed), 0.5 * (1 - CHIEF_WEIGHT))
            for kind in (IsolationForest, HalfSpaceTrees)
        ]
        self.arms.append(Arm(chief, Calibration(seed=seed), CHIEF_WEIGHT, bool(view.main)))
        self._weights = np.array([arm.weight for arm in self.arms])
        width = len(view.names) + len(self.arms)
        self.guard = Guard(width, seed=seed, margin=MARGIN // MICROSECOND)
        self.explained: list[Explanation] = []

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

    def step(self, windows: pl.DataFrame, *, explain_below: float = 0.0) -> pl.DataFrame:
        """Score windows with what was learned before them, then learn them.

        Parameters
        ----------
        windows : polars.DataFrame
            Windows of the view, sorted by (start, entity), none before the last step's.
        explain_below : float
            Warm windows that normal life brings less often, 1/day, are explained in full, in
            order, in ``explained``, until the next step.

        Returns
        -------
        polars.DataFrame
            `SCORES` and one ``p_<arm>`` column an arm, a row for each window.
        """
        deviations = self.baseline.update(windows)
        concern = self._concern(deviations)
        multiples = self._multiples(deviations)
        warm = self.warm
        by_arm = [arm.score(concern, multiples) for arm in self.arms]
        p_by_arm = np.column_stack([column.to_numpy() for column in by_arm])
        p = cauchy_combination(p_by_arm, self._weights)
        # Before any arm can judge nothing is known, and nothing is called rare.
        p[(p_by_arm == 1.0).all(axis=1)] = 1.0
        daily = self.baseline.active * (DAY / self.view.every)
        evidence = Evidence(
            self.view, self.arms, self._weights, deviations, concern, multiples, p_by_arm, daily
        )
        rare = np.flatnonzero(warm & (p * daily < explain_below))
        self.explained = evidence.explain(windows, rare, explain_below)
        scores = windows.select("entity", "start", "end").with_columns(
            pl.Series("score", -np.log10(p)),
            pl.Series("p", p),
            pl.Series("per_day", p * daily),
            pl.lit(warm).alias("warm"),
            evidence.reasons(warm & (p * daily < EXPLAINED_PER_DAY)),
            *by_arm,
        )
        share = min(FLAGGED_PER_DAY / daily, FLAGGED_SHARE) if len(windows) else 0.0
        # The share is divided among the arms, so that together they flag no more.
        flagged = p_by_arm.min(axis=1) < share / len(self.arms)
        entity, end = windows["entity"].to_list(), windows["end"].to_physical().to_numpy()
        rows = np.column_stack([concern, *(arm.raw for arm in self.arms)])
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

        This reaches back to 10 minutes before ``since`` if it is told of within 10 minutes. What
        was learned by then goes only with a rollback (`pipeline.lifecycle.snapshots`), and so does
        what the baseline takes from every window, held or not, though never as more than 4 spreads.
        """
        self.guard.hold(entity, (since - EPOCH) // MICROSECOND)

    def judge(self, entity: str, *, real: bool) -> None:
        """Close the incident of an entity: throw its windows away if real, else learn them all.

        Raises
        ------
        KeyError
            No incident of the entity is open.
        """
        self._learn(self.guard.judge(entity, real=real))

    def save(self, path: Path) -> None:
        """Write all that was learned to one file, whole or not at all.

        Raises
        ------
        NotWarmError
            The view has not enough history yet for its detectors to be fitted.
        """
        parts: dict[str, State] = {
            "baseline": self.baseline.state(),
            "history": {"rows": self.history.rows.copy(), "seen": self.history.seen},
            "guard": self.guard.state(),
        }
        for arm in self.arms:
            parts[f"{arm.detector.name}/detector"] = arm.detector.state()
            parts[f"{arm.detector.name}/calibration"] = arm.calibration.state()
        state: dict[str, Any] = {
            "features": list(self.view.names),
            "seed": self.seed,
            "next_fit": self.next_fit,
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
            for arm in new.arms:
                part = f"{arm.detector.name}/detector"
                arm.detector = arm.detector.from_state(_part(state, part))
                part = f"{arm.detector.name}/calibration"
                arm.calibration = Calibration.from_state(_part(state, part))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(f"{path} holds no valid model: {error}") from error
        return new

    def _learn(self, rows: NDArray[np.float64]) -> None:
        """Learn rows that the guard lets go: what the arms saw, and each arm's raw score of it."""
        concern = np.ascontiguousarray(rows[:, : len(self.view.names)])
        for arm, raw in zip(self.arms, rows[:, len(self.view.names) :].T, strict=True):
            arm.learn(concern, raw)
        self.history.add(concern)
        if self.history.seen >= self.next_fit:
            self._fit()
            self.next_fit = 2 * self.history.seen

    def _fit(self) -> None:
        """Fit the batch arms anew, and start the online arms once, from a sample of the past."""
        waiting = np.ascontiguousarray(self.guard.rows[:, : len(self.view.names)])
        for column, arm in enumerate(self.arms, len(self.view.names)):
            if arm.fit(self.history.rows, seed=self.seed):
                # The scores of what waits are another forest's.
                self.guard.rows[:, column] = arm.detector.score(waiting)

    def _concern(self, deviations: Deviations) -> NDArray[np.float64]:
        """Deviations on the side that is a cause for concern, in spreads; else 0."""
        one_sided = np.maximum(deviations.z * self._sign, 0.0)
        return np.where(self._sign == 0, deviations.z, one_sided)

    def _multiples(self, deviations: Deviations) -> NDArray[np.float64]:
        """The main features as multiples of what is typical; 0 where nothing is known."""
        recent, typical = deviations.recent[:, self._main], deviations.typical[:, self._main]
        known = (recent > 0) & (typical > 0)
        return np.divide(recent, typical, out=np.zeros_like(recent), where=known)


def _part(state: State, part: str) -> dict[str, Any]:
    """The values of a state whose keys begin with the name of a part."""
    prefix = f"{part}/"
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


_SIGNS = {"high": 1, "low": -1, "both": 0}
