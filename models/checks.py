"""What every detector must pass: each law of the contract as a function that can fail.

In the manner of the check suites of scikit-learn and River. `checks` yields those that apply to
a class; the test suite runs them over the whole catalogue, and proves each of them on a detector
built to break its law.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from models.detector import (
    Detector,
    Matrix,
    MatrixError,
    NotWarmError,
    OnlineDetector,
    State,
)
from models.persistence import load, save

__all__ = ["Check", "checks"]

Check = Callable[[type[Any]], None]

D = TypeVar("D", bound=Detector)

FEATURES = ("volume", "spread", "error_rate")
SEED = 7


def checks(detector_class: type[Detector]) -> Iterator[Check]:
    """Yield each check that applies to a class; call it with the class.

    A check returns ``None``, or raises ``AssertionError`` with the law that is broken.
    """
    yield from ALL
    if issubclass(detector_class, OnlineDetector):
        yield from ONLINE


def check_one_finite_score_per_row(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    for n in (0, 1, 300):
        scores = detector.score(_rows(n))
        assert isinstance(scores, np.ndarray), f"score returned {type(scores).__name__}"
        assert scores.dtype == np.float64, f"scores are {scores.dtype}, expected float64"
        assert scores.shape == (n,), f"{n} rows got scores of shape {scores.shape}"
        assert np.isfinite(scores).all(), "a score is not finite"


def check_same_seed_same_scores(detector_class: type[Detector]) -> None:
    X = _rows(300)
    first, second = (_fitted(detector_class).score(X) for _ in range(2))
    assert _same(first, second), "two fits with one seed and history score differently"


def check_scoring_changes_nothing(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    before = detector.state()
    first = detector.score(_rows(300))
    assert _same_state(before, detector.state()), "scoring changed the state"
    assert _same(first, detector.score(_rows(300))), "the second score of a row is another"


def check_row_by_row_equals_batch(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    X = _rows(300)
    alone = np.concatenate([detector.score(X[i : i + 1]) for i in range(len(X))])
    assert _same(alone, detector.score(X)), "a row scored alone and in a batch differs"


def check_input_is_not_changed(detector_class: type[Detector]) -> None:
    X = _rows(600)
    before = X.copy()
    detector = detector_class(FEATURES).fit(X, seed=SEED)
    assert _same(X, before), "fit changed its input"
    detector.score(X)
    assert _same(X, before), "score changed its input"
    if isinstance(detector, OnlineDetector):
        detector.learn(X)
        assert _same(X, before), "learn changed its input"


def check_non_finite_is_refused_by_name(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    for verb in _verbs(detector):
        for bad in (np.nan, np.inf, -np.inf):
            X = _rows(300)
            X[123, 1] = bad
            message = _refusal(verb, X)
            assert message is not None, f"{bad} was accepted"
            assert FEATURES[1] in message, f"the refusal does not name the feature: {message}"
            assert "123" in message, f"the refusal does not name the row: {message}"


def check_wrong_number_of_features_is_refused(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    X = _rows(300)
    for verb in _verbs(detector):
        for wrong in (X[:, :2], np.hstack([X, X]), X[:, 0]):
            message = _refusal(verb, np.ascontiguousarray(wrong))
            assert message is not None, f"shape {wrong.shape} was accepted"


def check_cold_is_not_a_low_score(detector_class: type[Detector]) -> None:
    detector = detector_class(FEATURES)
    X = _rows(300)
    try:
        unfitted = detector.score(X)
    except NotWarmError:
        assert not detector.warm, "a detector that cannot score says it is warm"
    else:
        assert detector.warm, f"a cold detector scored {unfitted[:1]}, expected NotWarmError"
        fitted = detector_class(FEATURES).fit(_rows(600), seed=SEED).score(X)
        assert _same(unfitted, fitted), "a detector that still learns from history is warm"
    assert detector.fit(_rows(600), seed=SEED).warm, "600 rows of history do not make it warm"


def check_high_is_anomalous(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    usual = np.median(detector.score(_rows(300)))
    spread = _rows(600).std(axis=0)
    assert 1.0 in detector_class.sides, "far above all history is not anomalous"
    for side in detector_class.sides:
        far = np.ascontiguousarray((_rows(600).mean(axis=0) + side * 50 * spread)[np.newaxis])
        score = detector.score(far)[0]
        assert score > usual, f"a far outlier scores {score}, the median of normal rows is {usual}"


def check_constant_columns_survive(detector_class: type[Detector]) -> None:
    for columns in ([1], [0, 1, 2]):
        history = _rows(600)
        history[:, columns] = 3.0
        detector = detector_class(FEATURES).fit(history, seed=SEED)
        for X in (history, _rows(300)):
            assert np.isfinite(detector.score(X)).all(), "a constant column gives no finite score"


def check_state_is_arrays_and_json(detector_class: type[Detector]) -> None:
    for key, value in _fitted(detector_class).state().items():
        if isinstance(value, np.ndarray):
            assert not value.dtype.hasobject, f"state {key!r} holds objects"
        else:
            try:
                again = json.loads(json.dumps(value, allow_nan=False))
            except (TypeError, ValueError) as error:
                raise AssertionError(f"state {key!r} is not JSON: {error}") from error
            assert type(again) is type(value), f"state {key!r} is {type(value).__name__}"
            assert again == value, f"state {key!r} is not what JSON gives back"


def check_a_file_keeps_the_detector(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    X = _rows(300)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        save(detector, path)
        loaded = load(path, {detector_class.name: detector_class})
    assert type(loaded) is detector_class, f"a {type(loaded).__name__} was loaded"
    assert loaded.features == detector.features, "the loaded detector has other features"
    assert _same(detector.score(X), loaded.score(X)), "the loaded detector scores differently"
    if isinstance(detector, OnlineDetector):
        detector.learn(X)
        cast(OnlineDetector, loaded).learn(X)
        assert _same(detector.score(X), loaded.score(X)), "the loaded detector learns differently"


def check_given_scores_do_not_change(detector_class: type[Detector]) -> None:
    detector = _fitted(detector_class)
    given = detector.score(_rows(300))
    before = given.copy()
    if isinstance(detector, OnlineDetector):
        detector.learn(_rows(300))
    detector.score(_rows(300)[::-1].copy())
    assert _same(given, before), "scores already given were changed afterwards"


def check_learning_in_pieces_equals_learning_at_once(
    detector_class: type[OnlineDetector],
) -> None:
    X = _rows(700)
    state = _fitted(detector_class).state()
    whole, pieces = (detector_class.from_state(state) for _ in range(2))
    whole.learn(X)
    for piece in np.split(X, [1, 2, 40, 251, 252, 600]):
        pieces.learn(piece)
    assert _same_state(whole.state(), pieces.state()), "learning in pieces gives another state"
    assert _same(whole.score(X), pieces.score(X)), "learning in pieces gives other scores"


def check_a_state_can_be_gone_back_to(detector_class: type[OnlineDetector]) -> None:
    detector = _fitted(detector_class)
    X = _rows(300)
    before, scores = detector.state(), detector.score(X)
    detector.learn(_rows(700))
    for _ in range(2):
        restored = detector_class.from_state(before)
        assert _same(restored.score(X), scores), "a state changed after it was taken"
        restored.learn(_rows(700))


ALL: tuple[Check, ...] = (
    check_one_finite_score_per_row,
    check_same_seed_same_scores,
    check_scoring_changes_nothing,
    check_row_by_row_equals_batch,
    check_input_is_not_changed,
    check_non_finite_is_refused_by_name,
    check_wrong_number_of_features_is_refused,
    check_cold_is_not_a_low_score,
    check_high_is_anomalous,
    check_constant_columns_survive,
    check_state_is_arrays_and_json,
    check_a_file_keeps_the_detector,
    check_given_scores_do_not_change,
)

ONLINE: tuple[Check, ...] = (
    check_learning_in_pieces_equals_learning_at_once,
    check_a_state_can_be_gone_back_to,
)


def _rows(n: int) -> Matrix:
    # Columns of different place, scale and shape; the same rows each time.
    rng = np.random.default_rng(n)
    return np.column_stack(
        [rng.lognormal(5.0, 1.0, n), rng.normal(0.0, 1e-3, n), rng.beta(1.0, 20.0, n)]
    )


def _fitted(detector_class: type[D]) -> D:
    return detector_class(FEATURES).fit(_rows(600), seed=SEED)


def _verbs(detector: Detector) -> list[Callable[[Matrix], object]]:
    verbs: list[Callable[[Matrix], object]] = [
        detector.score,
        lambda X: type(detector)(FEATURES).fit(X, seed=SEED),
    ]
    if isinstance(detector, OnlineDetector):
        verbs.append(detector.learn)
    return verbs


def _refusal(verb: Callable[[Matrix], object], X: Matrix) -> str | None:
    try:
        verb(X)
    except MatrixError as error:
        return str(error)
    return None


def _same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())


def _same_state(one: State, other: State) -> bool:
    if one.keys() != other.keys():
        return False
    for key, value in one.items():
        twin = other[key]
        if isinstance(value, np.ndarray) and isinstance(twin, np.ndarray):
            if not _same(value, twin):
                return False
        elif value != twin:
            return False
    return True
