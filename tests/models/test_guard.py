"""What is flagged is not learned, normal life is, and what is near an incident waits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.calibration import Calibration
from models.detector import Matrix, State, StateError, Vector
from models.guard import CAPACITY, Gate, Guard
from models.half_space_trees import HalfSpaceTrees

quick = settings(max_examples=60, deadline=None, derandomize=True)
SHARE = 0.005
HISTORY, CLEAN, BURST, WIDTH = 1_000, 5_000, 600, 16
MINUTE = 60_000_000


def flags(X: Matrix, seed: int, *, learn_all: bool = False) -> np.ndarray:
    """Which rows half-space trees flag at ``SHARE``, the first 1,000 being history."""
    trees = HalfSpaceTrees([f"f{i}" for i in range(X.shape[1])]).fit(X[:HISTORY], seed=seed)
    calibration = Calibration(bounded=True, seed=seed, size=4_000, memory=4_000)
    calibration.learn(trees.score(X[:HISTORY]))
    gate = Gate(seed=seed)
    flagged = np.zeros(len(X), bool)
    for i in range(HISTORY, len(X), 25):
        rows = slice(i, i + 25)
        raw = trees.score(X[rows])
        flagged[rows] = calibration.probability(raw) < SHARE
        learned = gate.passes(flagged[rows] & (not learn_all), share=SHARE)
        trees.learn(X[rows][learned])
        calibration.learn(raw[learned])
    return flagged


def with_burst(seed: int) -> Matrix:
    """5,000 clean rows, then 600 close to each other and four spreads off in every column."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(CLEAN, WIDTH))
    centre = 4.0 * rng.choice([-1.0, 1.0], WIDTH)
    return np.vstack([clean, centre + 0.3 * rng.normal(size=(BURST, WIDTH))])


def with_shift(seed: int, distance: float) -> Matrix:
    """5,000 rows, then 3,500 whose centre lies ``distance`` away for good."""
    rng = np.random.default_rng(seed)
    to = rng.normal(size=WIDTH)
    X = rng.normal(size=(CLEAN + 3_500, WIDTH))
    X[CLEAN:] += distance * to / np.linalg.norm(to)
    return X


@pytest.mark.parametrize("seed", range(20))
def test_a_burst_stays_flagged_to_its_end(seed: int) -> None:
    flagged = flags(with_burst(seed), seed)
    burst = flagged[CLEAN:]
    for part in (burst[:50], burst[250:300], burst[-50:], burst):
        assert part.mean() >= 0.95
    assert flagged[2_000:CLEAN].mean() < 2 * SHARE


@pytest.mark.parametrize("seed", range(3))
def test_learning_all_loses_the_burst(seed: int) -> None:
    burst = flags(with_burst(seed), seed, learn_all=True)[CLEAN:]
    assert burst[:50].mean() >= 0.95
    assert burst[-50:].mean() <= 0.05


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("distance", [2.0, 6.0])
def test_a_lasting_mild_shift_is_learned_within_three_thousand_windows(
    seed: int, distance: float
) -> None:
    flagged = flags(with_shift(seed, distance), seed)
    assert flagged[CLEAN + 3_000 :].mean() < 0.05
    if distance > 2.0:
        # Mild, but no trifle: it was seen when it came.
        assert flagged[CLEAN : CLEAN + 250].mean() > 10 * SHARE


@pytest.mark.parametrize("seed", range(3))
def test_a_lasting_shift_that_is_flagged_whole_waits_for_a_judgement(seed: int) -> None:
    flagged = flags(with_shift(seed, 20.0), seed)
    assert flagged[CLEAN:].mean() > 0.95


def alerts_a_day(seed: int, *, share: float, flagged_share: float = 0.001) -> Vector:
    """Alerting windows a day over 30 days of noise, at a tenth of the rate that is flagged.

    Scores come in clusters: each is the greatest of the last nine draws, as a mean over the last
    moments makes them.
    """
    rng = np.random.default_rng(seed)
    draws = rng.exponential(size=30 * 17_280 + 8)
    scores = np.lib.stride_tricks.sliding_window_view(draws, 9).max(axis=1)
    calibration = Calibration(seed=seed, size=20_000, memory=20_000)
    calibration.learn(scores[:20_000])
    gate, alerting = Gate(seed=seed), np.zeros(len(scores))
    for i in range(0, len(scores), 1_080):
        raw = scores[i : i + 1_080]
        p = calibration.probability(raw)
        alerting[i : i + 1_080] = p < flagged_share
        calibration.learn(raw[gate.passes(p < flagged_share, share=share)])
    return alerting.reshape(30, -1).sum(axis=1)


def test_thirty_days_of_noise_keep_the_rate_that_was_set() -> None:
    set_rate = 0.001 * 17_280
    guarded = np.array([alerts_a_day(seed, share=0.001) for seed in range(3)])
    first, last = guarded[:, :10].mean(), guarded[:, -10:].mean()
    assert last == pytest.approx(set_rate, rel=0.3)
    assert last == pytest.approx(first, rel=0.3)
    # The leak alone lets the threshold move in, day after day.
    eroded = np.array([alerts_a_day(seed, share=0.0) for seed in range(2)])
    assert eroded[:, -10:].mean() > 1.5 * set_rate


@quick
@given(
    flagged=st.lists(st.booleans(), max_size=300),
    cuts=st.lists(st.integers(0, 300), max_size=6),
    share=st.sampled_from([0.0, 0.005, 0.3]),
    seed=st.integers(0, 2**32 - 1),
)
def test_batches_do_not_matter_for_the_gate(
    flagged: list[bool], cuts: list[int], share: float, seed: int
) -> None:
    whole, parts = Gate(seed=seed), Gate(seed=seed)
    rows = np.array(flagged, bool)
    cut = [parts.passes(part, share=share) for part in np.split(rows, sorted(cuts))]
    np.testing.assert_array_equal(whole.passes(rows, share=share), np.concatenate(cut))
    assert whole.state() == parts.state()


@quick
@given(flagged=st.lists(st.booleans(), max_size=500), share=st.floats(0, 0.1))
def test_the_flagged_pass_no_faster_than_the_share_and_what_was_saved(
    flagged: list[bool], share: float
) -> None:
    rows = np.array(flagged, bool)
    gate = Gate(seed=0, leak=0.0)
    gate.passes(np.zeros(10_000, bool), share=0.1)  # all that can be saved
    passes = gate.passes(rows, share=share)
    assert passes[~rows].all()
    assert passes[rows].sum() <= CAPACITY + share * len(rows) + 1e-6


def test_one_in_five_hundred_flagged_windows_leaks() -> None:
    leaked = Gate(seed=1).passes(np.ones(1_000_000, bool), share=0.0).mean()
    assert leaked == pytest.approx(0.002, abs=0.0002)
    other = Gate(seed=2).passes(np.ones(1_000, bool), share=0.0)
    assert not np.array_equal(other, Gate(seed=5).passes(np.ones(1_000, bool), share=0.0))


class Told:
    """A guard of numbered windows of two entities, one a minute each, 5 minutes of margin."""

    def __init__(self, **options: int) -> None:
        self.guard = Guard(1, seed=0, margin=5 * MINUTE, **options)
        self.learned: list[tuple[str, int]] = []

    def minutes(self, first: int, last: int, flagged: bool = False) -> None:
        for minute in range(first, last):
            rows = np.array([[minute], [1_000.0 + minute]])
            ends = np.full(2, (minute + 1) * MINUTE)
            names, marks = np.array(["A", "B"]), np.full(2, flagged)
            self.take(self.guard.admit(names, ends, marks, rows, share=0.0))

    def judge(self, entity: str, real: bool | None) -> None:
        self.take(self.guard.judge(entity, real=real))

    def take(self, rows: Matrix) -> None:
        self.learned += [("B" if v >= 1_000 else "A", int(v) % 1_000) for v in rows[:, 0]]

    def of(self, entity: str) -> list[int]:
        return [minute for name, minute in self.learned if name == entity]


def test_a_window_is_learned_when_twice_the_margin_has_passed() -> None:
    told = Told()
    told.minutes(0, 20)
    assert told.of("A") == told.of("B") == list(range(10))
    assert told.guard.waiting == 20


def test_history_does_not_wait_unless_an_incident_is_open() -> None:
    guard = Guard(1, seed=0, margin=5 * MINUTE)
    guard.hold("A", 7 * MINUTE)
    ends, names = np.repeat(np.arange(1, 21), 2) * MINUTE, np.tile(["A", "B"], 20)
    rows, none = np.arange(40.0)[:, None], np.zeros(40, bool)
    learned = guard.admit(names, ends, none, rows, share=0.0, wait=False)[:, 0]
    assert learned.tolist() == [i for i in range(40) if i % 2 == 1 or i < 4]
    guard.rows[:] = -1.0
    assert (guard.judge("A", real=False) == -1.0).all()


def test_flagged_windows_are_not_learned() -> None:
    told = Told()
    told.minutes(0, 10)
    told.minutes(10, 20, flagged=True)
    told.minutes(20, 40)
    assert told.of("A") == [*range(10), *range(20, 30)]


@pytest.mark.parametrize("real", [True, False, None])
def test_windows_near_an_incident_wait_until_it_is_judged(real: bool | None) -> None:
    told = Told()
    told.minutes(0, 22)
    # Told of two minutes after it began, the five minutes before its start still wait.
    told.guard.hold("A", 20 * MINUTE)
    told.minutes(22, 30, flagged=True)
    told.minutes(30, 60)
    assert told.of("A") == list(range(15))
    assert told.of("B") == [*range(22), *range(30, 50)]
    told.judge("A", real)
    assert told.of("A") == list(range(60 if real is False else 15))
    told.minutes(60, 80)
    assert told.of("A")[-10:] == list(range(60, 70))
    assert (told.of("A") == told.of("B")) is (real is None)
    assert not told.guard.incidents


def test_a_second_incident_of_an_entity_joins_the_first() -> None:
    told = Told()
    told.guard.hold("A", 20 * MINUTE)
    told.guard.hold("A", 25 * MINUTE)
    assert told.guard.incidents == {"A": 20 * MINUTE}
    told.guard.hold("A", 10 * MINUTE)
    assert told.guard.incidents == {"A": 10 * MINUTE}


def test_what_is_held_is_bounded_and_the_oldest_forgotten() -> None:
    told = Told(most=30)
    told.guard.hold("A", 0)
    told.minutes(0, 500)
    assert told.guard.waiting == 30 + 10
    told.judge("A", real=False)
    assert told.of("A") == list(range(470, 500))


def test_an_incident_that_is_not_open_cannot_be_judged() -> None:
    told = Told()
    told.guard.hold("A", 0)
    with pytest.raises(KeyError, match="no incident of B is open; open are: A"):
        told.judge("B", real=True)


def test_a_restored_guard_goes_on_as_the_first() -> None:
    first, second = Told(), Told()
    first.minutes(0, 12, flagged=True)
    first.guard.hold("B", 11 * MINUTE)
    second.guard.restore(first.guard.state())
    second.learned = list(first.learned)
    for told in (first, second):
        told.minutes(12, 30)
        told.judge("B", real=False)
        told.minutes(30, 600, flagged=True)
    assert first.learned == second.learned
    assert set(first.guard.state()) == set(second.guard.state())


def test_the_state_shares_no_memory_with_the_guard() -> None:
    told = Told()
    told.minutes(0, 3)
    state = told.guard.state()
    rows = state["rows"]
    assert isinstance(rows, np.ndarray)
    rows[:] = -1.0
    told.minutes(3, 15)
    assert told.of("A") == list(range(5))


@pytest.mark.parametrize(
    "change",
    [
        {"seen": -1},
        {"saved": 9.0},
        {"saved": 1},
        {"open": [["A"]]},
        {"open": [["A", "B"]]},
        {"open": None},
        {"clock": 1.0},
        {"entity": np.zeros(6)},
        {"entity": np.array(["A"])},
        {"end": np.zeros(6)},
        {"passed": np.ones(5, bool)},
        {"rows": np.zeros((6, 2))},
    ],
)
def test_a_state_that_is_none_is_refused(change: dict[str, object]) -> None:
    told = Told()
    told.minutes(0, 3)
    state: dict[str, object] = dict(told.guard.state())
    other = Guard(1, seed=0, margin=MINUTE)
    other.restore(told.guard.state())
    broken: State = state | change  # type: ignore[assignment]
    with pytest.raises(StateError):
        Guard(1, seed=0, margin=MINUTE).restore(broken)
