"""A saved scorer goes on as if it had never stopped, and no other file is taken for one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from features.trading import SYMBOL_1M, SYMBOL_5S
from models.persistence import ModelFileError, read_state, write_state
from pipeline.scoring.scorer import Scorer

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STEP = 1_200


def made_up(rows: int) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    start = pl.Series([NOON + (i // 2) * SYMBOL_5S.every for i in range(rows)])
    return pl.DataFrame(
        {
            "entity": ["A" if i % 2 else "B" for i in range(rows)],
            "start": start,
            "end": start + SYMBOL_5S.every,
            **{name: np.exp(0.5 * rng.normal(size=rows)) for name in SYMBOL_5S.names},
        },
        schema=dict(SYMBOL_5S.schema),
    )


WINDOWS = made_up(7 * STEP)


def steps(scorer: Scorer, first: int, last: int) -> list[pl.DataFrame]:
    return [scorer.step(WINDOWS[i * STEP : (i + 1) * STEP]) for i in range(first, last)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model after three steps."""
    path = tmp_path_factory.mktemp("models") / "model.npz"
    scorer = Scorer(SYMBOL_5S, seed=4)
    steps(scorer, 0, 3)
    scorer.save(path)
    return path


@pytest.fixture(scope="module")
def uninterrupted() -> list[pl.DataFrame]:
    return steps(Scorer(SYMBOL_5S, seed=4), 0, 7)


@pytest.mark.parametrize("cut", [2, 3, 5, 6])
def test_saved_and_loaded_equals_uninterrupted(
    uninterrupted: list[pl.DataFrame], tmp_path: Path, cut: int
) -> None:
    first = Scorer(SYMBOL_5S, seed=4)
    steps(first, 0, cut)
    first.save(tmp_path / "model.npz")
    second = Scorer.load(SYMBOL_5S, tmp_path / "model.npz")
    assert second.warm == first.warm
    assert_frame_equal(
        pl.concat(steps(second, cut, 7)), pl.concat(uninterrupted[cut:]), check_exact=True
    )


def test_what_was_loaded_is_saved_as_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    Scorer.load(SYMBOL_5S, saved).save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_a_failed_save_leaves_the_old_model(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(saved.read_bytes())
    scorer = Scorer.load(SYMBOL_5S, path)
    steps(scorer, 3, 4)

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("models.persistence.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        scorer.save(path)
    assert path.read_bytes() == saved.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_model_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Scorer.load(SYMBOL_5S, tmp_path / "none.npz")


def one_line(error: pytest.ExceptionInfo[ModelFileError], path: Path) -> str:
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text


def test_the_model_of_another_view_is_refused(saved: Path) -> None:
    with pytest.raises(ModelFileError) as error:
        Scorer.load(SYMBOL_1M, saved)
    text = one_line(error, saved)
    assert "holds trades.symbol_5s version 2; expected trades.symbol_1m version 2" in text


def test_a_model_of_other_features_is_refused(saved: Path) -> None:
    fewer = replace(SYMBOL_5S, declared=SYMBOL_5S.declared[:-1])
    assert len(fewer.names) == len(SYMBOL_5S.names) - 1
    with pytest.raises(ModelFileError) as error:
        Scorer.load(fewer, saved)
    assert "train it again" in one_line(error, saved)


def test_a_model_of_another_version_is_refused(saved: Path, tmp_path: Path) -> None:
    name, version, state = read_state(saved)
    path = tmp_path / "newer.npz"
    write_state(path, name, version + 1, state)
    with pytest.raises(ModelFileError, match="version 3; expected"):
        Scorer.load(SYMBOL_5S, path)


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04 nor a zip"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as error:
        Scorer.load(SYMBOL_5S, path)
    assert "not a model file" in one_line(error, path)


def parts() -> list[str]:
    scorer = Scorer(SYMBOL_5S, seed=4)
    return ["features", "seed", "next_fit", "history/rows", "history/seen", "baseline/ring"] + [
        f"{arm.detector.name}/calibration/{key}"
        for arm in scorer.arms
        for key in ("sorted", "next")
    ]


@pytest.mark.parametrize("part", parts())
@pytest.mark.parametrize("value", [None, "x", np.zeros((3, 1, 2))], ids=["lost", "text", "shape"])
def test_a_model_with_a_part_lost_or_changed_is_refused(
    saved: Path, tmp_path: Path, part: str, value: object
) -> None:
    name, version, state = read_state(saved)
    assert part in state
    changed = {key: kept for key, kept in state.items() if key != part}
    if value is not None:
        changed[part] = value  # type: ignore[assignment]
    path = tmp_path / "changed.npz"
    write_state(path, name, version, changed)
    with pytest.raises(ModelFileError, match=r"changed\.npz holds no valid model"):
        Scorer.load(SYMBOL_5S, path)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_harmless(
    saved: Path, tmp_path: Path, data: st.DataObject
) -> None:
    whole = saved.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    kept = data.draw(st.sampled_from(["flip", "truncate"]))
    flipped = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
    path = tmp_path / "damaged.npz"
    path.write_bytes(flipped if kept == "flip" else whole[:place])
    try:
        loaded = Scorer.load(SYMBOL_5S, path)
    except ModelFileError:
        return
    assert kept == "flip"
    again = tmp_path / "again.npz"
    loaded.save(again)
    assert again.read_bytes() == whole
