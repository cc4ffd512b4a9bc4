"""Every check fails on a detector that breaks its law, and on no other."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import pytest

from models import checks as suite
from models.detector import (
    Detector,
    Matrix,
    MatrixError,
    OnlineDetector,
    State,
    Vector,
    state_array,
    state_value,
)


class Honest(OnlineDetector):
    """Mean distance from the running mean, in standard deviations: keeps every law."""

    name: ClassVar[str] = "honest"
    floor: ClassVar[float] = 1e-12

    def __init__(self, features: Any) -> None:
        super().__init__(features)
        self.sums = np.zeros((3, len(self.features)))

    @property
    def warm(self) -> bool:
        return bool(self.sums[0, 0] >= 10)

    def _fit(self, X: Matrix, seed: int) -> None:
        self.sums = np.zeros((3, len(self.features)))
        Honest._learn(self, X)

    def _score(self, X: Matrix) -> Vector:
        count, total, squares = self.sums
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - mean**2, self.floor))
        scores = np.zeros(len(X))
        for j in range(len(self.features)):
            scores += np.abs(X[:, j] - mean[j]) / deviation[j]
        return scores

    def _learn(self, X: Matrix) -> None:
        for x in X:
            self.sums += np.stack([np.ones_like(x), x, x**2])

    def state(self) -> State:
        return {"features": list(self.features), "sums": self.sums.copy()}

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = cls(state_value(state, "features", list))
        detector.sums = state_array(state, "sums", np.float64, (3, len(detector.features)))
        return detector


class ScoresNoRows(Honest):
    def _score(self, X: Matrix) -> Vector:
        return super()._score(X) if len(X) else np.zeros(1)


class ScoresInSinglePrecision(Honest):
    def _score(self, X: Matrix) -> Vector:
        scores: Any = super()._score(X).astype(np.float32)
        return scores


class IgnoresTheSeed(Honest):
    fits: ClassVar[int] = 0
    factor: float = 1.0

    def _fit(self, X: Matrix, seed: int) -> None:
        super()._fit(X, seed)
        IgnoresTheSeed.fits += 1
        self.factor = 1.0 + 1e-9 * IgnoresTheSeed.fits

    def _score(self, X: Matrix) -> Vector:
        return self.factor * super()._score(X)

    def state(self) -> State:
        return {**super().state(), "factor": self.factor}

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = super().from_state(state)
        detector.factor = state_value(state, "factor", float)
        return detector


class CountsItsScores(Honest):
    scored: int = 0

    def _score(self, X: Matrix) -> Vector:
        self.scored += len(X)
        return super()._score(X)

    def state(self) -> State:
        return {**super().state(), "scored": self.scored}


class LooksAtTheBatch(Honest):
    def _score(self, X: Matrix) -> Vector:
        return super()._score(X) + 1e-9 * len(X)


class WritesIntoItsInput(Honest):
    def _fit(self, X: Matrix, seed: int) -> None:
        super()._fit(X, seed)
        X[0, 0] += 1.0


class FillsGaps(Honest):
    def score(self, X: Matrix) -> Vector:
        return super().score(np.nan_to_num(X))


class RefusesWithoutAName(Honest):
    def score(self, X: Matrix) -> Vector:
        try:
            return super().score(X)
        except MatrixError:
            raise MatrixError("bad input") from None


class TakesTheFirstColumns(Honest):
    def score(self, X: Matrix) -> Vector:
        known = X[:, : len(self.features)] if X.ndim == 2 else X
        return super().score(known)


class ScoresLowWhenCold(Honest):
    @property
    def warm(self) -> bool:
        return True

    def _score(self, X: Matrix) -> Vector:
        return super()._score(X) if self.sums[0, 0] else np.zeros(len(X))


class LowIsAnomalous(Honest):
    def _score(self, X: Matrix) -> Vector:
        return -super()._score(X)


class DividesByZero(Honest):
    floor: ClassVar[float] = 0.0

    def _score(self, X: Matrix) -> Vector:
        with np.errstate(divide="ignore", invalid="ignore"):
            return super()._score(X)


class KeepsATuple(Honest):
    def state(self) -> State:
        features: Any = self.features
        return {**super().state(), "names": features}


class ForgetsHowToLearn(Honest):
    restored: bool = False

    def _learn(self, X: Matrix) -> None:
        if not self.restored:
            super()._learn(X)

    @classmethod
    def from_state(cls, state: State) -> Self:
        detector = super().from_state(state)
        detector.restored = True
        return detector


class ReusesItsBuffer(Honest):
    def __init__(self, features: Any) -> None:
        super().__init__(features)
        self.buffer = np.zeros(300)

    def _score(self, X: Matrix) -> Vector:
        if len(X) != len(self.buffer):
            return super()._score(X)
        self.buffer[:] = super()._score(X)
        return self.buffer


class CountsCalls(Honest):
    def _learn(self, X: Matrix) -> None:
        super()._learn(X)
        self.sums[0] += 1.0


class HandsOutItsMemory(Honest):
    def state(self) -> State:
        return {**super().state(), "sums": self.sums}


BROKEN: list[tuple[type[Detector], str]] = [
    (ScoresNoRows, "check_one_finite_score_per_row"),
    (ScoresInSinglePrecision, "check_one_finite_score_per_row"),
    (CountsItsScores, "check_scoring_changes_nothing"),
    (LooksAtTheBatch, "check_row_by_row_equals_batch"),
    (WritesIntoItsInput, "check_input_is_not_changed"),
    (FillsGaps, "check_non_finite_is_refused_by_name"),
    (RefusesWithoutAName, "check_non_finite_is_refused_by_name"),
    (TakesTheFirstColumns, "check_wrong_number_of_features_is_refused"),
    (ScoresLowWhenCold, "check_cold_is_not_a_low_score"),
    (LowIsAnomalous, "check_high_is_anomalous"),
    (DividesByZero, "check_constant_columns_survive"),
    (KeepsATuple, "check_state_is_arrays_and_json"),
    (ForgetsHowToLearn, "check_a_file_keeps_the_detector"),
    (ReusesItsBuffer, "check_given_scores_do_not_change"),
    (CountsCalls, "check_learning_in_pieces_equals_learning_at_once"),
    (HandsOutItsMemory, "check_a_state_can_be_gone_back_to"),
    (IgnoresTheSeed, "check_same_seed_same_scores"),
]


def failures(detector_class: type[Detector]) -> set[str]:
    failed = set()
    for check in suite.checks(detector_class):
        try:
            check(detector_class)
        except AssertionError:
            failed.add(check.__name__)
    return failed


def test_an_honest_detector_passes_every_check() -> None:
    assert failures(Honest) == set()


@pytest.mark.parametrize(("broken", "law"), BROKEN)
def test_a_detector_that_breaks_one_law_fails_one_check(broken: type[Detector], law: str) -> None:
    assert failures(broken) == {law}


def test_every_check_is_proven_on_a_broken_detector() -> None:
    assert {law for _, law in BROKEN} == {check.__name__ for check in suite.checks(Honest)}


def test_a_batch_detector_is_not_asked_to_learn() -> None:
    batch = {check.__name__ for check in suite.checks(Detector)}
    online = {check.__name__ for check in suite.checks(OnlineDetector)}
    assert batch < online
