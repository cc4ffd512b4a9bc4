"""Why a window is rare: the features that made its score, in words and as fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baseline import Deviations
from features.view import FeatureView
from models.change import CERTAIN
from models.combine import cauchy_combination
from models.explain import (
    contributions,
    evidence_shares,
    feature_shares,
    level_shifts,
)
from pipeline.scoring.counterfactual import Counterfactual, counterfactual
from pipeline.scoring.expected import expected
from pipeline.scoring.inputs import SIDES, level_of
from pipeline.scoring.words import comparison, label, quantity

if TYPE_CHECKING:
    from pipeline.scoring.arm import Arm

__all__ = ["Evidence", "Explanation", "Reason"]

MOST = 3
# Next to a feature with four times its share, a feature is a bystander.
LEAST_PART = 0.25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Reason:
    """What one feature has to do with a window's score.

    Parameters
    ----------
    feature, unit : str
        Its name, and the unit of ``actual`` and ``expected``.
    actual : float or None
        Mean over the view's last moments (`FeatureView.recent`); None where unknown.
    expected : float or None
        What the entity's past makes usual; None where nothing is known of it.
    z : float
        Signed distance in usual spreads; on the ratio scale between logarithms.
    share : float
        Part of the evidence, 0 to 1; over all features they sum to 1.
    side : {"above", "below"}
        On which side of what is expected the feature is.
    words : str
        The same for people.
    low, high : float or None
        What it may be at this time of day and week (`models.bands`); None where unknown.
    """

    feature: str
    unit: str
    actual: float | None
    expected: float | None
    z: float
    share: float
    side: Literal["above", "below"]
    words: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why one window is rare.

    Parameters
    ----------
    entity, start, end
        Of the window.
    per_day : float
        How often normal life brings such a window.
    arms : dict of str to float
        Each arm's share of the evidence; they sum to 1.
    features : tuple of Reason
        Every feature with a share, the largest first.
    counterfactual : Counterfactual or None
        None where the window would be rare even if every feature were as expected.
    """

    entity: str
    start: datetime
    end: datetime
    per_day: float
    arms: dict[str, float]
    features: tuple[Reason, ...]
    counterfactual: Counterfactual | None

    def fields(self) -> dict[str, Any]:
        """The explanation as nested dictionaries and lists; times stay datetimes."""
        return asdict(self)


@dataclass(frozen=True)
class Evidence:
    """What a step's scores were made of; explains them until the arms learn again.

    Parameters
    ----------
    view : FeatureView
    arms : sequence of k Arm
    deviations : Deviations
        Of n windows and d features.
    seen : ndarray of shape (n, width)
        All inputs of the arms side by side.
    raw, p : ndarray of shape (n, k)
        Raw scores and tail probabilities of the arms.
    daily : float
        Windows of the view in a day.
    """

    view: FeatureView
    arms: Sequence[Arm]
    deviations: Deviations
    seen: Matrix
    raw: Matrix
    p: Matrix
    daily: float

    @cached_property
    def weights(self) -> Vector:
        """As given to the combination."""
        return np.array([arm.weight for arm in self.arms])

    @cached_property
    def certain(self) -> NDArray[np.bool_]:
        """Rows of which an arm that speaks beside the others is certain, shape (n,)."""
        certain = np.zeros(len(self.p), bool)
        for arm, raw in zip(self.arms, self.raw.T, strict=True):
            if not arm.weight:
                certain |= raw >= CERTAIN
        return certain

    def reasons(self, wanted: NDArray[np.bool_]) -> pl.Series:
        """The features that made the score of each wanted row, the strongest first.

        Parameters
        ----------
        wanted : ndarray of shape (n,), bool
            Rows to explain; the others get an empty list.

        Returns
        -------
        polars.Series of list of text, named ``reasons``
            For example ``"41 buy orders against 0.31 expected, 132 times"``.
        """
        rows = np.flatnonzero(wanted)
        texts: list[list[str]] = [[]]
        shifted = self._shifted(rows)
        for row, shares, changed in zip(rows.tolist(), self.shares(rows), shifted, strict=True):
            told = self._strongest(row, shares, changed)
            beside = [text for column, text in changed.items() if column not in told]
            texts.append(beside[:MOST] + [self._words(row, column, changed) for column in told])
        which = np.zeros(len(wanted), np.int64)
        which[rows] = np.arange(1, len(texts))
        return pl.Series("reasons", texts, dtype=pl.List(pl.String)).gather(which)

    def shares(self, rows: NDArray[np.intp]) -> Matrix:
        """Each feature's share of the evidence of the given rows, shape (rows, d)."""
        evidence = evidence_shares(self.p[rows], self.weights)
        changes, columns = [], []
        for arm, given in zip(self.arms, evidence.T, strict=True):
            columns.append(arm.input.features)
            change = np.zeros((len(rows), len(columns[-1])))
            if given.any():
                # What follows the features is context.
                change = contributions(arm.detector, arm.of(self.seen[rows]))
            changes.append(change[:, : len(columns[-1])])
        return feature_shares(changes, evidence, columns, len(self.view.names))

    def explain(
        self, windows: pl.DataFrame, rows: NDArray[np.intp], below: float
    ) -> list[Explanation]:
        """Explain rows that normal life brings less than ``below`` times a day.

        Parameters
        ----------
        windows : polars.DataFrame
            The n windows of the step.
        """
        p = cauchy_combination(self.p[rows], self.weights)
        names = [arm.name for arm in self.arms]
        arms = evidence_shares(self.p[rows], self.weights).tolist()
        keys = windows.select("entity", "start", "end")[rows].rows()
        every, shifted = self.shares(rows), self._shifted(rows)
        ranges = expected(self, rows)
        explained = []
        for i, (row, shares) in enumerate(zip(rows.tolist(), every, strict=True)):
            entity, start, end = keys[i]
            told = self._strongest(row, shares, shifted[i])
            explained.append(
                Explanation(
                    entity,
                    start,
                    end,
                    float(p[i] * self.daily),
                    dict(zip(names, arms[i], strict=True)),
                    self._features(row, shares, shifted[i], ranges[:, i]),
                    counterfactual(self, row, told, below),
                )
            )
        return explained

    def _shifted(self, rows: NDArray[np.intp]) -> list[dict[int, str]]:
        """The features of each row whose level has changed, in words, where it is worth telling."""
        told: list[dict[int, str]] = [{} for _ in rows]
        evidence = evidence_shares(self.p[rows], self.weights)
        for arm, given, raw in zip(self.arms, evidence.T, self.raw[rows].T, strict=True):
            led = np.flatnonzero(given > 0.5 if arm.weight else raw >= CERTAIN)
            if (
                not len(led)
                or (found := level_shifts(arm.detector, arm.of(self.seen[rows[led]]))) is None
            ):
                continue
            for i, before, since in zip(led.tolist(), *found, strict=True):
                for place, column in enumerate(arm.input.features):
                    if np.isfinite(since[place]):
                        told[i][column] = self._shift(
                            int(rows[i]), column, before[place], since[place]
                        )
        return told

    def _shift(self, row: int, column: int, before: float, since: float) -> str:
        feature, now = self.view.features[column], float(self.deviations.typical[row, column])
        then = level_of(self.view, column, before)
        time = EPOCH + timedelta(microseconds=int(since))
        return (
            f"{label(feature)} {'rose' if now >= then else 'fell'} from {quantity(feature, then)} "
            f"to {quantity(feature, now)} since {time:%Y-%m-%d %H:%M} UTC"
        )

    def _strongest(self, row: int, shares: Vector, changed: Mapping[int, str]) -> list[int]:
        """Features to tell of: a large share, known, and changed or off on a side of concern."""
        recent, typical, z = (
            x[row] for x in (self.deviations.recent, self.deviations.typical, self.deviations.z)
        )
        side = np.array([SIDES[f.direction] for f in self.view.features])
        known = np.isfinite(recent) & np.isfinite(typical) & (z != 0) & (z * side >= 0)
        known[list(changed)] = True
        told = np.where(known, shares, 0.0)
        least = LEAST_PART * told.max(initial=0.0)
        return [int(c) for c in np.argsort(-told, kind="stable")[:MOST] if told[c] > least]

    def _words(self, row: int, column: int, changed: Mapping[int, str]) -> str:
        actual, expected = self.deviations.recent[row, column], self.deviations.typical[row, column]
        feature = self.view.features[column]
        if column in changed:
            return changed[column]
        if not (np.isfinite(actual) and np.isfinite(expected)):
            return f"{label(feature)} not known"
        return comparison(feature, float(actual), float(expected))

    def _features(
        self, row: int, shares: Vector, changed: Mapping[int, str], ranges: Matrix
    ) -> tuple[Reason, ...]:
        found = []
        for column in np.argsort(-shares, kind="stable")[: np.count_nonzero(shares)].tolist():
            feature, z = self.view.features[column], float(self.deviations.z[row, column])
            recent, typical = self.deviations.recent, self.deviations.typical
            actual, usual, low, high = (
                float(x) if np.isfinite(x) else None
                for x in (recent[row, column], typical[row, column], *ranges[::2, column])
            )
            found.append(
                Reason(
                    feature.name,
                    feature.unit,
                    actual,
                    usual,
                    z,
                    float(shares[column]),
                    "below" if z < 0 else "above",
                    self._words(row, column, changed),
                    low,
                    high,
                )
            )
        return tuple(found)
