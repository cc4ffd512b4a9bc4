"""A model is the history in the lake, learned in order, in one file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_5S
from pipeline.evaluation.dataset import Dataset
from pipeline.files import InputError
from pipeline.lake import Lake, LakeError
from pipeline.lifecycle.train import model_path, train
from pipeline.scoring.scorer import STEP, Scorer


@pytest.fixture(scope="module")
def windows(pump_set: Path, after: datetime) -> pl.DataFrame:
    return Dataset.open(pump_set).windows(now=after)[: STEP + 5_000]


@pytest.fixture(scope="module")
def home(windows: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    Lake(home / "lake").append(SYMBOL_5S.name, windows)
    return home


def test_training_is_running_the_history(home: Path, windows: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "models" / "m.npz"
    trained = train(SYMBOL_5S, Lake(home / "lake"), path, seed=2)
    expected = Scorer(SYMBOL_5S, seed=2)
    expected.run(windows)
    later = windows[-3_000:].with_columns(pl.col("start", "end") + pl.duration(days=1))
    scores = expected.run(later)
    assert_frame_equal(Scorer.load(SYMBOL_5S, path).run(later), scores, check_exact=True)
    assert_frame_equal(trained.run(later), scores, check_exact=True)


def test_only_the_history_asked_for_is_learned(
    home: Path, windows: pl.DataFrame, tmp_path: Path
) -> None:
    since, until = windows["start"][6_000], windows["start"][15_000]
    scorer = train(
        SYMBOL_5S, Lake(home / "lake"), tmp_path / "m.npz", since=since, until=until, seed=0
    )
    inside = windows.filter((pl.col("start") >= since) & (pl.col("start") < until))
    assert scorer.history.seen == len(inside) < len(windows)


def test_the_same_history_and_seed_give_the_same_bytes(home: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for path in paths:
        train(SYMBOL_5S, Lake(home / "lake"), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_share_done_is_told_up_to_all(home: Path, tmp_path: Path) -> None:
    told: list[float] = []
    train(SYMBOL_5S, Lake(home / "lake"), tmp_path / "m.npz", progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_too_short_a_history_is_refused_and_nothing_written(
    windows: pl.DataFrame, tmp_path: Path
) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append(SYMBOL_5S.name, windows[:1_999])
    with pytest.raises(InputError, match=r"1,999 windows are too few .* at least 2,000"):
        train(SYMBOL_5S, lake, tmp_path / "models" / "m.npz")
    assert not (tmp_path / "models").exists()


def test_a_view_that_is_not_in_the_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"trades\.symbol_5s is not in the lake"):
        train(SYMBOL_5S, Lake(tmp_path / "lake"), tmp_path / "m.npz")


def test_the_model_of_a_view_has_its_name(tmp_path: Path) -> None:
    assert model_path(tmp_path, SYMBOL_5S) == tmp_path / "models" / "trades.symbol_5s.npz"
