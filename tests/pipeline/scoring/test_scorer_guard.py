"""An attack teaches a scorer nothing; what is judged benign is learned; all can be undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S
from pipeline.files import InputError
from pipeline.lifecycle.snapshots import Snapshots
from pipeline.scoring.scorer import FLAGGED_PER_DAY, MARGIN, Scorer

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENTITIES = ("A", "B", "C")
STEP = 300
CLEAN, ATTACK = 7_500, 1_800
START = NOON + CLEAN // 3 * SYMBOL_5S.every
WAITING = 2 * len(ENTITIES) * (MARGIN // SYMBOL_5S.every)
"""Windows that wait: of all entities, within twice the margin."""


def made_up(rows: int, *, seed: int = 0) -> pl.DataFrame:
    """Windows of three entities in order; from `START` on those of A are a hundred times usual."""
    rng = np.random.default_rng(seed)
    turn = np.arange(rows) // len(ENTITIES)
    start = pl.Series([NOON + int(n) * SYMBOL_5S.every for n in turn])
    attacked = (turn >= CLEAN // 3) & (np.arange(rows) % 3 == 0)
    size = np.where(attacked, 100.0, 1.0)
    return pl.DataFrame(
        {
            "entity": [ENTITIES[i % len(ENTITIES)] for i in range(rows)],
            "start": start,
            "end": start + SYMBOL_5S.every,
            **{
                name: size ** (name in SYMBOL_5S.main) * np.exp(0.3 * rng.normal(size=rows))
                for name in SYMBOL_5S.names
            },
        },
        schema=dict(SYMBOL_5S.schema),
    )


def stepped(scorer: Scorer, windows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([scorer.step(windows[i : i + STEP]) for i in range(0, len(windows), STEP)])


WINDOWS = made_up(CLEAN + ATTACK)
QUIET = WINDOWS.filter((pl.col("entity") != "A") | (pl.col("start") < START))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scorer of the clean windows."""
    path = tmp_path_factory.mktemp("models") / "clean.npz"
    scorer = Scorer(SYMBOL_5S)
    stepped(scorer, WINDOWS[:CLEAN])
    assert scorer.warm
    scorer.save(path)
    return path


def taught(scorer: Scorer) -> list[int]:
    """How many windows the history and each calibration have learned."""
    return [scorer.history.seen, *(arm.calibration.sample.seen for arm in scorer.arms)]


def attacked(scores: pl.DataFrame) -> pl.DataFrame:
    return scores.filter((pl.col("entity") == "A") & (pl.col("start") >= START))


def test_a_burst_stays_rare_to_its_end(trained: Path) -> None:
    scores = attacked(stepped(Scorer.load(SYMBOL_5S, trained), WINDOWS[CLEAN:]))
    flagged = (scores["per_day"] < FLAGGED_PER_DAY).to_numpy()
    assert len(flagged) == ATTACK // 3
    for part in (flagged[10:60], flagged[250:300], flagged[-50:], flagged):
        assert part.mean() >= 0.95


def test_every_window_waits_and_then_what_is_not_flagged_is_learned(trained: Path) -> None:
    scorer = Scorer.load(SYMBOL_5S, trained)
    assert scorer.guard.waiting == WAITING
    before = taught(scorer)
    stepped(scorer, WINDOWS[CLEAN:])
    assert scorer.guard.waiting == WAITING
    learned = np.array(taught(scorer)) - before
    assert (learned == learned[0]).all()
    attack_done = (ATTACK - WAITING) // 3
    assert ATTACK - attack_done <= learned[0] <= ATTACK - attack_done + 30


@pytest.mark.parametrize("real", [True, False])
def test_an_incident_is_thrown_away_or_learned_whole(trained: Path, real: bool) -> None:
    scorer = Scorer.load(SYMBOL_5S, trained)
    scorer.hold("A", START)
    stepped(scorer, WINDOWS[CLEAN:])
    margin = MARGIN // SYMBOL_5S.every
    held = ATTACK // 3 + margin
    assert scorer.guard.waiting == held + WAITING * 2 // 3
    before = taught(scorer)
    scorer.judge("A", real=real)
    learned = np.array(taught(scorer)) - before
    assert (learned == (0 if real else held)).all()
    assert scorer.guard.waiting == WAITING * 2 // 3


def test_what_was_judged_benign_is_no_longer_rare(trained: Path) -> None:
    longer = made_up(CLEAN + 2 * ATTACK)
    per_day = {}
    for real in (True, False):
        scorer = Scorer.load(SYMBOL_5S, trained)
        scorer.hold("A", START)
        stepped(scorer, longer[CLEAN : CLEAN + ATTACK])
        scorer.judge("A", real=real)
        later = scorer.step(longer[CLEAN + ATTACK : CLEAN + ATTACK + STEP])
        per_day[real] = attacked(later)["per_day"].median()
    assert per_day[False] > FLAGGED_PER_DAY > per_day[True]


def test_what_was_judged_real_leaves_the_arms_as_if_it_had_not_been(trained: Path) -> None:
    scorers = [Scorer.load(SYMBOL_5S, trained) for _ in range(2)]
    scorers[0].hold("A", START)
    stepped(scorers[0], WINDOWS[CLEAN:])
    scorers[0].judge("A", real=True)
    # The same without the attack, whose margin is forgotten too.
    scorers[1].hold("A", START)
    stepped(scorers[1], QUIET[CLEAN:])
    scorers[1].judge("A", real=True)
    assert taught(scorers[0]) == taught(scorers[1])


def test_a_saved_scorer_remembers_what_is_held(trained: Path, tmp_path: Path) -> None:
    first = Scorer.load(SYMBOL_5S, trained)
    first.hold("A", START)
    stepped(first, WINDOWS[CLEAN : CLEAN + STEP])
    first.save(tmp_path / "held.npz")
    second = Scorer.load(SYMBOL_5S, tmp_path / "held.npz")
    assert second.until == first.until == WINDOWS["end"][CLEAN + STEP - 1]
    rest = WINDOWS[CLEAN + STEP :]
    scores = []
    for scorer in (first, second):
        stepped(scorer, rest[: 2 * STEP])
        scorer.judge("A", real=False)
        scores.append(stepped(scorer, rest[2 * STEP :]))
    assert_frame_equal(scores[0], scores[1], check_exact=True)


def test_a_rollback_undoes_an_incident_that_was_never_held(trained: Path, tmp_path: Path) -> None:
    ring = Snapshots(tmp_path)
    scorer = Scorer.load(SYMBOL_5S, trained)
    ring.take(scorer)
    stepped(scorer, WINDOWS[CLEAN:])
    ring.take(scorer)
    assert ring.times == [scorer.until, START]
    back = ring.before(SYMBOL_5S, START + MARGIN)
    assert back.until == START
    again = Scorer.load(SYMBOL_5S, trained)
    assert_frame_equal(
        stepped(back, QUIET[CLEAN:]), stepped(again, QUIET[CLEAN:]), check_exact=True
    )


def test_snapshots_are_few_and_a_damaged_one_is_passed_by(trained: Path, tmp_path: Path) -> None:
    ring = Snapshots(tmp_path, kept=3)
    scorer = Scorer.load(SYMBOL_5S, trained)
    for i in range(5):
        scorer.step(QUIET[CLEAN + i * 20 : CLEAN + (i + 1) * 20])
        path = ring.take(scorer)
    newest, middle, oldest = ring.times
    assert newest == scorer.until
    assert len(list(tmp_path.iterdir())) == 3
    path.write_bytes(b"damaged")
    assert ring.before(SYMBOL_5S, newest + MARGIN).until == middle
    with pytest.raises(InputError, match=r"no snapshot of trades\.symbol_5s from before"):
        ring.before(SYMBOL_5S, oldest + MARGIN - timedelta(seconds=1))


def test_no_snapshot_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none is kept"):
        Snapshots(tmp_path / "none").before(SYMBOL_5S, NOON)
    with pytest.raises(ValueError, match="expected 1 or more"):
        Snapshots(tmp_path, kept=0)


@pytest.mark.parametrize("times", [4.0, 100.0])
def test_a_lasting_shift_is_normal_within_three_thousand_windows(
    trained: Path, times: float
) -> None:
    shifted = made_up(CLEAN + 4_500)[CLEAN:].with_columns(
        pl.when(pl.col("entity") == "A").then(pl.col(name) / 100.0).otherwise(pl.col(name)) * times
        for name in SYMBOL_5S.main
    )
    scores = stepped(Scorer.load(SYMBOL_5S, trained), shifted)
    flagged = (scores["per_day"] < FLAGGED_PER_DAY).to_numpy()
    assert flagged[100:1_800].mean() > 0.95
    assert flagged[3_000:].mean() < 0.05


def test_a_lasting_shift_is_not_learned_while_its_incident_is_open(trained: Path) -> None:
    scorer = Scorer.load(SYMBOL_5S, trained)
    scorer.hold("A", START)
    scores = attacked(stepped(scorer, made_up(CLEAN + 4_500)[CLEAN:]))
    assert (scores["per_day"] < FLAGGED_PER_DAY).to_numpy()[100:].mean() > 0.95
