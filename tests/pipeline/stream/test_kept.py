"""What is kept of a scorer gives it back bit for bit, now and as it was before a step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.trading import SYMBOL_5S as VIEW
from models.persistence import ModelFileError
from pipeline.scoring.scorer import Scorer
from pipeline.stream import kept
from pipeline.stream.kept import Kept, learn

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEP = 60


def windows_of(step: int) -> pl.DataFrame:
    rng = np.random.default_rng(step + 100)
    start = pl.Series([NOON + (STEP * step + i) * VIEW.every for i in range(STEP)])
    return pl.DataFrame(
        {
            "entity": [rng.choice(["A", "a long name of an entity"]) for _ in range(STEP)],
            "start": start,
            "end": start + VIEW.every,
            **{name: np.exp(0.5 * rng.normal(size=STEP)) for name in VIEW.names},
        },
        schema=dict(VIEW.schema),
    )


def bytes_of(scorer: Scorer, folder: Path) -> bytes:
    path = folder / "bytes" / "scorer.npz"
    scorer.save(path, cold=True)
    return path.read_bytes()


@pytest.fixture
def learned() -> Scorer:
    """One that fits its detectors within the next steps."""
    scorer = Scorer(VIEW)
    learn(scorer, pl.concat(windows_of(step) for step in range(-30, 0)))
    return scorer


def test_a_scorer_comes_back_as_it_was_after_every_step(learned: Scorer, tmp_path: Path) -> None:
    one, rows, files = Kept(VIEW, tmp_path), [], set()
    for step in range(1, 45):
        windows = windows_of(step)
        learned.step(windows, explain_below=24.0)
        row = one.keep(learned, step, windows, whole=step == 4)
        rows = [] if row is None else [*rows, (step, row)]
        one.forget()
        files.add(one.file)
        if step % 7 == 3:
            again = Kept(VIEW, tmp_path, one.file, rows).scorer()
            assert bytes_of(again, tmp_path) == bytes_of(learned, tmp_path)
    assert learned.fitted
    assert [file.name for file in tmp_path.glob("*.npz")] == [one.file]
    # Cold, with what is no window, and after 20 steps each.
    assert files == {f"{VIEW.name}-{step:012}.npz" for step in (1, 4, 25)}


def test_many_windows_are_a_file_and_no_rows(learned: Scorer, tmp_path: Path) -> None:
    one = Kept(VIEW, tmp_path)
    many = pl.concat(windows_of(step) for step in range(kept.WINDOWS // STEP - 1))
    found = []
    for step, windows in enumerate((windows_of(0), many, windows_of(0), windows_of(0)), 1):
        found.append(one.keep(learned, step, windows, whole=False))
    assert [row is None for row in found] == [True, False, False, True]
    assert one.file == f"{VIEW.name}-{4:012}.npz"


def test_who_judged_a_step_is_found_after_it_was_kept(learned: Scorer, tmp_path: Path) -> None:
    one = Kept(VIEW, tmp_path)
    assert one.judge is None
    for step in range(1, 25):
        before, judge = bytes_of(learned, tmp_path), one.judge
        windows = windows_of(step)
        learned.step(windows)
        one.keep(learned, step, windows, whole=False)
        if judge is not None and step % 5 == 2:
            assert judge().read_bytes() == judge().read_bytes() == before
            assert judge().name == f"{VIEW.name}-{step - 1:012}.npz"
        one.forget()


def test_a_damaged_file_is_told(learned: Scorer, tmp_path: Path) -> None:
    one = Kept(VIEW, tmp_path)
    one.keep(learned, 1, windows_of(1), whole=False)
    file = tmp_path / str(one.file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ModelFileError):
        one.scorer()
