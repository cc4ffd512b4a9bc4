"""Why a window is rare: the features that made its score, in words and as fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.baseline import Deviations
from features.view import FeatureView
from models.combine import cauchy_combination
from models.explain import contributions, evidence_shares, feature_shares
from pipeline.counterfactual import Counterfactual, counterfactual
from pipeline.words import comparison, label

if TYPE_CHECKING:
    from pipeline.arm import Arm

__all__ = ["Evidence", "Explanation", "Reason"]

MOST = 3
# Next to a feature with four times its share, a feature is a bystander.
LEAST_PART = 0.25

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
    """

    feature: str
    unit: str
    actual: float | None
    expected: float | None
    z: float
    share: float
    side: Literal["above", "below"]
    words: str


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
    weights : ndarray of shape (k,)
        As given to the combination.
    deviations : Deviations
        Of n windows and d features.
    concern, multiples : ndarray of shape (n, d) and (n, main features)
        What the arms saw.
    p : ndarray of shape (n, k)
        Tail probabilities of the arms.
    daily : float
        Windows of the view in a day.
    """

    view: FeatureView
    arms: Sequence[Arm]
    weights: Vector
    deviations: Deviations
    concern: Matrix
    multiples: Matrix
    p: Matrix
    daily: float

    @property
    def main(self) -> list[int]:
        """The columns of the view's main features."""
        return [self.view.names.index(name) for name in self.view.main]

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
        for row, shares in zip(rows.tolist(), self.shares(rows), strict=True):
            texts.append([self._words(row, column) for column in self._strongest(row, shares)])
        which = np.zeros(len(wanted), np.int64)
        which[rows] = np.arange(1, len(texts))
        return pl.Series("reasons", texts, dtype=pl.List(pl.String)).gather(which)

    def shares(self, rows: NDArray[np.intp]) -> Matrix:
        """Each feature's share of the evidence of the given rows, shape (rows, d)."""
        evidence = evidence_shares(self.p[rows], self.weights)
        changes, columns = [], []
        for arm, given in zip(self.arms, evidence.T, strict=True):
            columns.append(self.main if arm.multiples else list(range(len(self.view.names))))
            change = np.zeros((len(rows), len(columns[-1])))
            if given.any():
                X = self.multiples if arm.multiples else self.concern
                change = contributions(arm.detector, X[rows])
            changes.append(change)
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
        names = [arm.detector.name for arm in self.arms]
        arms = evidence_shares(self.p[rows], self.weights).tolist()
        keys = windows.select("entity", "start", "end")[rows].rows()
        explained = []
        for i, (row, shares) in enumerate(zip(rows.tolist(), self.shares(rows), strict=True)):
            entity, start, end = keys[i]
            explained.append(
                Explanation(
                    entity,
                    start,
                    end,
                    float(p[i] * self.daily),
                    dict(zip(names, arms[i], strict=True)),
                    self._features(row, shares),
                    counterfactual(self, row, self._strongest(row, shares), below),
                )
            )
        return explained

    def _strongest(self, row: int, shares: Vector) -> list[int]:
        """The features to tell of: a large share, known, and on their side of concern."""
        known = np.isfinite(self.deviations.recent[row]) & np.isfinite(self.deviations.typical[row])
        told = np.where(known & (self.concern[row] != 0), shares, 0.0)
        least = LEAST_PART * told.max(initial=0.0)
        return [int(c) for c in np.argsort(-told, kind="stable")[:MOST] if told[c] > least]

    def _words(self, row: int, column: int) -> str:
        actual, expected = self.deviations.recent[row, column], self.deviations.typical[row, column]
        return comparison(self.view.features[column], float(actual), float(expected))

    def _features(self, row: int, shares: Vector) -> tuple[Reason, ...]:
        found = []
        for column in np.argsort(-shares, kind="stable")[: np.count_nonzero(shares)]:
            feature = self.view.features[column]
            actual, expected, z = (
                float(x[row, column])
                for x in (self.deviations.recent, self.deviations.typical, self.deviations.z)
            )
            known = np.isfinite(actual), np.isfinite(expected)
            found.append(
                Reason(
                    feature.name,
                    feature.unit,
                    actual if known[0] else None,
                    expected if known[1] else None,
                    z,
                    float(shares[column]),
                    "below" if z < 0 else "above",
                    self._words(row, column) if all(known) else f"{label(feature)} not known",
                )
            )
        return tuple(found)
