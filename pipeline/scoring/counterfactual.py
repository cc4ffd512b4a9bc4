"""The smallest change after which a window would not have been as rare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.combine import cauchy_combination
from models.explain import kept_share
from pipeline.scoring.words import amount, how_rare, label, quantity

if TYPE_CHECKING:
    from pipeline.scoring.reasons import Evidence

__all__ = ["Counterfactual", "counterfactual"]

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Counterfactual:
    """What would have had to be different; everything not named is as it was.

    Parameters
    ----------
    features : tuple of str
        What changes, towards what is expected of it and never past that.
    values : tuple of float
        Their values where the window stops being rare, each in the feature's unit.
    words : str
        The same for people.
    """

    features: tuple[str, ...]
    values: tuple[float, ...]
    words: str


def counterfactual(
    evidence: Evidence, row: int, told: Sequence[int], below: float
) -> Counterfactual | None:
    """Less of the strongest feature; where that does not do, of all told; then of everything.

    Parameters
    ----------
    row : int
        Of the evidence; normal life brings it less than ``below`` times a day.
    told : sequence of int
        Columns of the features that people are told of, the strongest first.
    below : float
        The rate, 1/day, at which a window is rare.

    Returns
    -------
    Counterfactual or None
        None where the window would be rare even with every feature as expected.
    """
    features, names = evidence.view.features, evidence.view.names
    recent, typical, z = (
        x[row]
        for x in (evidence.deviations.recent, evidence.deviations.typical, evidence.deviations.z)
    )
    amounts = np.array([f.scale == "ratio" for f in features]) & (z != 0)
    log = np.log(np.divide(recent, typical, out=np.ones_like(z), where=amounts))

    def turn(columns: Sequence[int], pace: Vector) -> tuple[float, Vector] | None:
        """How much of the deviation is kept where the window stops being rare, and the values."""

        def kept(t: Vector) -> Matrix:
            parts = np.ones((len(t), len(z)))
            parts[:, columns] = np.maximum(1.0 - (1.0 - t[:, None]) * pace, 0.0)
            return parts

        t = kept_share(lambda t: per_day(evidence, row, kept(t)) >= below)
        if t is None:
            return None
        parts = kept(np.array([t]))[0]
        levels = typical + parts * (recent - typical)
        return t, np.where(amounts, typical * np.exp(parts * log), levels)

    def tell(columns: Sequence[int], values: Vector, how: str) -> Counterfactual:
        return Counterfactual(
            tuple(names[c] for c in columns),
            tuple(float(values[c]) for c in columns),
            f"would not have been rarer than {how_rare(below)} {how}",
        )

    if told and (found := turn(told[:1], np.ones(1))):
        values, first = found[1], told[0]
        side = "below" if z[first] > 0 else "above"
        limit = quantity(features[first], float(values[first]))
        return tell(told[:1], values, f"with {label(features[first])} {side} {limit}")
    # All are divided by one number: the smallest excess is the first to be gone.
    together = len(told) > 1 and (log[told] > 0).all()
    if together and (found := turn(told, log[told].max() / log[told])):
        factor = float(np.exp((found[0] - 1.0) * log[told].max()))
        return tell(told, found[1], f"at {amount(factor)} times these amounts")
    moved = np.flatnonzero(z).tolist()
    if moved and (found := turn(moved, np.ones(len(moved)))):
        far = round(float(found[0]), 2)
        expected = f"{amount(far)} times as far from what is expected" if far else "as expected"
        return tell(moved, found[1], f"with everything {expected}")
    return None


def per_day(evidence: Evidence, row: int, kept: Matrix) -> Vector:
    """How often normal life brings a row of which each feature keeps a part of its deviation.

    Parameters
    ----------
    kept : ndarray of shape (m, d)
        For each of m trials and each feature, from 0 (as expected) to 1 (as it was).
    """
    p = np.ones((len(kept), len(evidence.arms)))
    for column, arm in enumerate(evidence.arms):
        if arm.detector.warm:
            rows = arm.input.kept(evidence.seen[row, arm.place], kept)
            p[:, column] = arm.calibration.probability(arm.detector.score(rows))
    rates: Vector = cauchy_combination(p, evidence.weights) * evidence.daily
    return rates
