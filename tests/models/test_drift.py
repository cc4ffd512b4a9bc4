"""A change is told with its size and beginning; an unchanged stream rings within the budget."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models import drift as module
from models.detector import Matrix, MatrixError, State, StateError
from models.drift import DriftAlarm, DriftMonitor

SEASON, MONTH = 24, 720
LEARNED = 10 * SEASON
COLUMNS = tuple("abcdefgh")


def stream(n: int, seed: int, *, kept: float = 0.5, season: float = 2.0) -> Matrix:
    """Columns that depend on one another, each with a season and a memory, of spread 1."""
    rng = np.random.default_rng(seed)
    noise = np.sqrt(0.5) * (rng.normal(size=(n, len(COLUMNS))) + rng.normal(size=(n, 1)))
    noise *= np.sqrt(1 - kept**2)
    noise[0] /= np.sqrt(1 - kept**2)
    for i in range(1, n):
        noise[i] += kept * noise[i - 1]
    phase = rng.uniform(0, 2 * np.pi, len(COLUMNS))
    angle = 2 * np.pi * np.arange(n)[:, None] / SEASON
    return np.ascontiguousarray(noise + season * np.sin(angle + phase))


def monitor(X: Matrix, *, learned: int = LEARNED, **options: float) -> DriftMonitor:
    known = np.ones(X.shape, bool)
    block = np.arange(len(X))
    columns = COLUMNS[: X.shape[1]]
    return DriftMonitor(columns, block[:learned], X[:learned], known[:learned], **options)  # type: ignore[arg-type]


def follow(watch: DriftMonitor, X: Matrix, first: int, last: int | None = None) -> DriftMonitor:
    part = np.ascontiguousarray(X[first:last])
    watch.update(first + np.arange(len(part)), part, np.ones(part.shape, bool))
    return watch


def false_alarms(kept: float, budget: float, runs: int = 6) -> float:
    """Alarms a month of an unchanged stream."""
    raised = 0
    for seed in range(runs):
        X = stream(LEARNED + MONTH, seed, kept=kept)
        raised += int(follow(monitor(X, budget=budget), X, LEARNED).raised.sum())
    return raised / runs


@pytest.mark.parametrize("kept", [0.0, 0.8])
def test_an_unchanged_stream_rings_within_the_budget(kept: float) -> None:
    assert false_alarms(kept, 1.0) <= 1.0
    assert false_alarms(kept, 20.0, runs=3) <= 20.0


def test_the_budget_is_kept_because_memory_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "carried", lambda block, level: np.zeros(level.shape[1]))
    assert false_alarms(0.8, 1.0, runs=2) > 1.0


def test_the_budget_is_kept_because_the_season_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    X = stream(LEARNED + 3 * SEASON, 1, season=3.0)
    quiet = follow(monitor(X), X, LEARNED)
    assert not quiet.raised.any()
    # At night a level that is usual by day.
    X[LEARNED:] = np.roll(X[LEARNED:], SEASON // 2, axis=0)
    assert follow(monitor(X), X, LEARNED).raised.any()


@pytest.mark.parametrize("shift", [3.0, -3.0])
def test_a_shift_is_told_with_its_column_beginning_and_size(shift: float) -> None:
    begun = LEARNED + 100
    for seed in range(3):
        X = stream(LEARNED + 200, seed)
        X[begun:, 2] += shift
        watch = follow(monitor(X), X, LEARNED)
        (alarm,) = watch.alarms
        assert alarm.column == "c"
        assert abs(alarm.since - begun) <= 12
        assert begun <= alarm.told <= begun + 48
        assert alarm.size == pytest.approx(shift, abs=0.6)
        assert 0 < alarm.per_month <= watch.budget
        assert watch.raised.tolist() == [0, 0, 1, 0, 0, 0, 0, 0]


def test_a_slow_drift_is_told() -> None:
    X = stream(LEARNED + MONTH, 3)
    X[LEARNED:, 0] += np.linspace(0, 6, MONTH)
    (alarm,) = follow(monitor(X), X, LEARNED).alarms
    assert alarm.column == "a"
    assert alarm.size > 1.5


def test_what_came_back_is_no_drift_any_more() -> None:
    X = stream(LEARNED + 400, 4)
    X[LEARNED + 100 : LEARNED + 200, 1] += 4.0
    watch = follow(monitor(X), X, LEARNED, LEARNED + 200)
    assert [alarm.column for alarm in watch.alarms] == ["b"]
    follow(watch, X, LEARNED + 200)
    assert watch.alarms == []
    assert watch.raised[1] == 1


def test_a_shift_too_small_to_matter_is_no_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    X = stream(LEARNED + 300, 5)
    X[LEARNED:, 1] += 1.5
    assert follow(monitor(X), X, LEARNED).raised.tolist() == [0, 1, 0, 0, 0, 0, 0, 0]
    monkeypatch.setattr(module, "LEAST_SHIFT", 3.0)
    watch = follow(monitor(X), X, LEARNED)
    assert not watch.raised.any()
    assert watch._sum[1].mean() >= watch.threshold


def test_equal_numbers_never_drift_and_any_change_of_them_does() -> None:
    X = np.full((LEARNED + 300, 2), 0.1)
    watch = follow(monitor(X), X, LEARNED)
    assert not watch.raised.any()
    X[LEARNED + 100 :, 1] = 0.2
    (alarm,) = follow(monitor(X), X, LEARNED).alarms
    assert (alarm.column, alarm.size) == ("b", pytest.approx(0.1))


def test_blocks_in_pieces_equal_blocks_at_once() -> None:
    X = stream(LEARNED + 120, 6)
    X[LEARNED + 40 :, 3] += 4.0
    whole, pieces = monitor(X), monitor(X)
    follow(whole, X, LEARNED)
    for first in range(LEARNED, len(X), 7):
        follow(pieces, X, first, first + 7)
    assert same(whole.state(), pieces.state())
    assert whole.alarms == pieces.alarms != []


def test_a_monitor_comes_back_from_its_state_and_goes_on_alike() -> None:
    X = stream(LEARNED + 160, 7)
    X[LEARNED + 40 :, 3] += 4.0
    first = follow(monitor(X), X, LEARNED, LEARNED + 80)
    state = first.state()
    arrays = {key: value for key, value in state.items() if isinstance(value, np.ndarray)}
    rest = json.loads(json.dumps({k: v for k, v in state.items() if k not in arrays}))
    second = DriftMonitor.from_state(arrays | rest)
    assert second.alarms == first.alarms != []
    for watch in (first, second):
        follow(watch, X, LEARNED + 80)
    assert same(first.state(), second.state())


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("columns", ["a", "a"]),
        ("budget", 0.0),
        ("season", 23),
        ("level", np.zeros((3, 8))),
        ("sum", np.zeros((2, 2))),
        ("open", [["a", 1]]),
    ],
)
def test_a_state_that_is_no_monitor_is_refused(part: str, value: object) -> None:
    state = monitor(stream(LEARNED, 0)).state()
    with pytest.raises(StateError):
        DriftMonitor.from_state({**state, part: value})  # type: ignore[dict-item]


def test_what_is_not_known_is_no_evidence() -> None:
    X = stream(LEARNED + 300, 8)
    X[LEARNED:, 4] += 4.0
    known = np.ones(X.shape, bool)
    known[LEARNED:, 4] = False
    block = np.arange(len(X))
    watch = DriftMonitor(COLUMNS, block[:LEARNED], X[:LEARNED], known[:LEARNED])
    watch.update(block[LEARNED:], X[LEARNED:], known[LEARNED:])
    assert watch.alarms == []
    known[:LEARNED, 4], known[LEARNED:, 4] = False, True
    watch = DriftMonitor(COLUMNS, block[:LEARNED], X[:LEARNED], known[:LEARNED])
    assert watch.watched.tolist() == [True] * 4 + [False] + [True] * 3
    watch.update(block[LEARNED:], X[LEARNED:], known[LEARNED:])
    assert watch.alarms == []


def test_a_gap_in_the_stream_is_no_evidence() -> None:
    X = stream(LEARNED + 20 * SEASON, 9)
    watch = monitor(X)
    for first in range(LEARNED, len(X), 2 * SEASON):
        follow(watch, X, first, first + SEASON)
    assert not watch.raised.any()


@pytest.mark.parametrize("count", [1, 2, 41, 500])
def test_every_bet_pays_one_on_average(count: int) -> None:
    paid = module._payments(count)
    assert paid[-1] == pytest.approx(np.full(len(module.BETS), count))
    assert (np.diff(paid, axis=0) > 0).all()


def test_history_too_short_for_a_season_is_not_watched() -> None:
    X = stream(LEARNED, 10)
    watch = follow(monitor(X, learned=30), X, 30)
    assert not watch.watched.any()
    assert watch.alarms == []


def test_what_cannot_be_is_refused_by_name() -> None:
    X = stream(LEARNED + 10, 0)
    with pytest.raises(ValueError, match="expected above 0"):
        monitor(X, budget=0.0)
    watch = follow(monitor(X), X, LEARNED)
    with pytest.raises(ValueError, match=f"block {LEARNED + 3} is not after"):
        follow(watch, X, LEARNED + 3)
    with pytest.raises(ValueError, match="blocks are"):
        watch.update(np.arange(2), X[:1], np.ones((1, 8), bool))
    X[0, 2] = np.nan
    with pytest.raises(MatrixError, match="'c' is nan"):
        follow(watch, X, 0, 1)


def test_an_alarm_is_a_plain_record() -> None:
    alarm = DriftAlarm("volume", 3, 9, 0.7, 0.5)
    assert DriftAlarm(*[alarm.column, alarm.since, alarm.told, alarm.size, 0.5]) == alarm


def same(one: State, other: State) -> bool:
    return all(
        np.array_equal(value, other[key], equal_nan=True)  # type: ignore[arg-type]
        if isinstance(value, np.ndarray) and value.dtype.kind == "f"
        else np.array_equal(value, other[key])  # type: ignore[arg-type]
        for key, value in one.items()
    )
