"""In a notebook a registered model is one line, and scores as the scorer does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.stream import TIME
from pipeline.lifecycle.champion import champion
from pipeline.lifecycle.enlist import open_registry
from pipeline.lifecycle.pyfunc import WindowScorer
from tests.pipeline.lifecycle.retraining import FIRST, THEN, VIEW, made_up, shared_home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_home(tmp_path_factory)


@pytest.fixture
def tracked(home: Path) -> Iterator[None]:
    open_registry(home).aliases(VIEW.name)
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(open_registry(home).uri)
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def windows() -> pl.DataFrame:
    return made_up(FIRST, THEN)


@pytest.fixture(scope="module")
def expected(home: Path, windows: pl.DataFrame) -> pl.DataFrame:
    scorer = champion(VIEW, open_registry(home), home).scorer
    assert scorer is not None
    return scorer.run(windows).drop("reasons")


def scores(given: pd.DataFrame) -> pl.DataFrame:
    plain = {name: given[name].dt.tz_convert(None) for name in ("start", "end")}
    table = pl.from_pandas(given.drop(columns="reasons").assign(**plain))
    return table.with_columns(pl.col("start", "end").cast(TIME))


@pytest.mark.usefixtures("tracked")
def test_mlflow_loads_the_champion_and_it_scores_a_pandas_frame(
    windows: pl.DataFrame, expected: pl.DataFrame
) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(f"models:/{VIEW.name}@champion")
    frame = windows.to_pandas()
    for _ in range(2):
        assert_frame_equal(scores(model.predict(frame)), expected)
    with pytest.raises(mlflow.MlflowException, match="missing inputs"):
        model.predict(frame.drop(columns="silence"))


def test_rows_come_back_in_their_order_whatever_it_was(
    home: Path, windows: pl.DataFrame, expected: pl.DataFrame
) -> None:
    model = WindowScorer(home / "models" / VIEW.name / "champion.npz")
    order = pl.Series(range(len(windows))).shuffle(seed=1)
    frame = windows[order].to_pandas()
    assert_frame_equal(scores(model.predict(frame)), expected[order])


def test_times_without_a_zone_are_utc(
    home: Path, windows: pl.DataFrame, expected: pl.DataFrame
) -> None:
    model = WindowScorer(home / "models" / VIEW.name / "champion.npz")
    frame = windows.to_pandas()
    for name in ("start", "end"):
        frame[name] = frame[name].dt.tz_localize(None)
    assert_frame_equal(scores(model.predict(frame)), expected)
