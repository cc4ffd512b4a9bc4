"""A view takes up a new model between steps, caught up with what it missed; or says why not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from features.silence import batch_windows
from features.trading import SYMBOL_1M, SYMBOL_5S, TRADES
from features.view import FeatureView
from models.persistence import ModelFileError
from pipeline.scoring.scorer import Scorer
from pipeline.sources.files import FileSource
from pipeline.stream.adopt import COLD, THRESHOLDS, Found, Models, begin_cold, from_files
from pipeline.stream.loop import Loop
from pipeline.stream.options import Options
from tests.streams import AFTER, loop_of, made_up

ROWS = made_up(TRADES, 1_500)
WINDOWS = batch_windows(SYMBOL_5S, ROWS)
ALWAYS = Options(ask_models_every=timedelta(0))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the days before."""
    path = tmp_path_factory.mktemp("model") / "m.npz"
    scorer = Scorer(SYMBOL_5S)
    scorer.run(made_windows())
    scorer.save(path)
    return path


def made_windows() -> pl.DataFrame:
    """The history before the events at hand: the same on three days before."""
    day = timedelta(days=1)
    return pl.concat(WINDOWS.with_columns(pl.col("start", "end") - n * day) for n in (3, 2, 1))


def follow(home: Path, models: Models, rows: int = 1_500) -> Loop:
    folder = home / "events"
    folder.mkdir(parents=True, exist_ok=True)
    ROWS[:rows].write_parquet(folder / "0.parquet")
    source = FileSource("t", TRADES, folder, batch=250)
    return loop_of(home, [source], views=[SYMBOL_5S], models=models, options=ALWAYS)


def test_a_view_without_a_model_learns_from_the_stream(tmp_path: Path) -> None:
    loop = follow(tmp_path, from_files(lambda view: tmp_path / "none.npz"))
    loop.replay(AFTER)
    state = loop.checkpoint.state().views[SYMBOL_5S.name]
    assert (state.model, state.state) == (COLD, "ok")
    assert state.scorer is not None
    loop.close()


def test_a_file_that_is_too_cold_to_score_leaves_thresholds_and_a_reason(tmp_path: Path) -> None:
    cold = tmp_path / "cold.npz"
    scorer = Scorer(SYMBOL_5S)
    scorer.step(WINDOWS[:10])
    scorer.save(cold, cold=True)
    loop = follow(tmp_path, from_files(lambda view: cold))
    loop.replay(AFTER)
    state = loop.checkpoint.state().views[SYMBOL_5S.name]
    assert (state.model, state.state) == (None, THRESHOLDS)
    assert state.detail == f"{cold} is cold: it learned too little; expected a trained model"
    assert state.windows == len(WINDOWS)
    loop.close()


def test_scores_are_those_of_the_model_that_was_trained(tmp_path: Path, trained: Path) -> None:
    loop = follow(tmp_path, from_files(lambda view: trained))
    loop.replay(AFTER)
    scores = loop.lake.windows(f"scores/{SYMBOL_5S.name}")
    assert scores["warm"].all()
    # The first step's windows are scored by the model as it was trained.
    first = WINDOWS[: len(WINDOWS) // 20]
    expected = Scorer.load(SYMBOL_5S, trained).step(first).drop("reasons")
    assert_frame_equal(scores[: len(first)].select(expected.columns), expected)
    loop.close()


def test_a_new_model_is_taken_up_between_steps_and_catches_up(
    tmp_path: Path, trained: Path
) -> None:
    offered: list[Found] = [begin_cold(SYMBOL_5S)]
    loop = follow(tmp_path, lambda view: offered[-1])
    loop.step(AFTER)
    loop.step(AFTER)
    seen = loop.lake.windows(SYMBOL_5S.name).select(WINDOWS.columns)
    offered.append(Found("version 2", "ok", "", lambda: Scorer.load(SYMBOL_5S, trained)))
    loop.step(AFTER)
    state = loop.checkpoint.state().views[SYMBOL_5S.name]
    assert state.model == "version 2"
    follower = loop.followers[SYMBOL_5S.name]
    caught_up = Scorer.load(SYMBOL_5S, trained)
    caught_up.step(seen)
    later = loop.lake.windows(SYMBOL_5S.name).select(WINDOWS.columns)[len(seen) :]
    expected = caught_up.step(later).drop("reasons")
    found = loop.lake.windows(f"scores/{SYMBOL_5S.name}")[len(seen) :]
    assert_frame_equal(found.select(expected.columns), expected)
    assert follower.scorer is not None
    assert follower.scorer.until == later["end"].max()
    loop.close()


@pytest.mark.parametrize("fault", ["damaged", "of another view"])
def test_a_model_that_cannot_score_leaves_thresholds_only(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "m.npz"
    if fault == "damaged":
        path.write_bytes(b"no model")
    else:
        other = Scorer(SYMBOL_1M)
        other.save(path, cold=True)
    loop = follow(tmp_path, from_files(lambda view: path), rows=300)
    loop.replay(AFTER)
    state = loop.checkpoint.state().views[SYMBOL_5S.name]
    assert (state.model, state.state, state.scorer) == (None, THRESHOLDS, None)
    assert str(path) in state.detail
    scores = loop.lake.windows(f"scores/{SYMBOL_5S.name}")
    assert len(scores) == state.windows > 0
    assert scores.select("p", "score", "warm").unique().rows() == [(1.0, 0.0, False)]
    loop.close()


def test_a_scorer_that_was_damaged_between_steps_is_a_state_and_no_crash(tmp_path: Path) -> None:
    loop = follow(tmp_path, begin_cold)
    loop.step(AFTER)
    name = loop.checkpoint.state().views[SYMBOL_5S.name].scorer
    loop.close()
    assert name is not None
    (tmp_path / "stream" / "stream" / name).write_bytes(b"damaged")
    loop = follow(tmp_path, begin_cold)
    loop.replay(AFTER)
    state = loop.checkpoint.state().views[SYMBOL_5S.name]
    assert (state.state, state.accepted) == (THRESHOLDS, 1_500)
    loop.close()


def test_a_file_that_was_written_anew_is_another_model(tmp_path: Path, trained: Path) -> None:
    path = tmp_path / "m.npz"
    models = from_files(lambda view: path)
    assert models(SYMBOL_5S).model == COLD
    path.write_bytes(trained.read_bytes())
    first = models(SYMBOL_5S)
    assert first.model == models(SYMBOL_5S).model
    assert first.load is not None
    scorer = first.load()
    scorer.step(WINDOWS)
    scorer.save(path)
    assert models(SYMBOL_5S).model not in (COLD, first.model)


def test_snapshots_are_taken_as_event_time_passes(tmp_path: Path, trained: Path) -> None:
    folder = tmp_path / "events"
    folder.mkdir()
    ROWS.write_parquet(folder / "0.parquet")
    options = Options(snapshot_every=timedelta(minutes=10))
    loop = loop_of(
        tmp_path,
        [FileSource("t", TRADES, folder, batch=250)],
        views=[SYMBOL_5S],
        models=from_files(lambda view: trained),
        options=options,
    )
    loop.replay(AFTER)
    snapshots = loop.followers[SYMBOL_5S.name].snapshots
    assert len(snapshots.times) > 2
    view: FeatureView = SYMBOL_5S
    restored = snapshots.before(view, snapshots.times[0] + timedelta(minutes=11))
    assert restored.until == snapshots.times[0]
    loop.close()


def test_a_model_of_other_features_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    Scorer(SYMBOL_1M).save(path, cold=True)
    with pytest.raises(ModelFileError, match=r"expected trades\.symbol_5s"):
        Scorer.load(SYMBOL_5S, path)
