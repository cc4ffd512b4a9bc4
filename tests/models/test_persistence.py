"""A model file is whole, plain and refused when it is not."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.half_space_trees import HalfSpaceTrees
from models.persistence import ModelFileError, load, save

X = np.random.default_rng(0).normal(size=(60, 2))


def detector() -> HalfSpaceTrees:
    return HalfSpaceTrees(["volume", "spread"], n_trees=2, height=2, window_size=50).fit(X, seed=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.npz"
    save(detector(), path)
    return path


def rewrite(path: Path, **changes: Any) -> None:
    """Write the file again with some of its header changed."""
    with np.load(path) as archive:
        contents = {key: archive[key] for key in archive.files}
    header = {**json.loads(contents["header"].tobytes()), **changes}
    contents["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(path, **contents)


def test_the_class_is_found_in_the_catalogue(path: Path) -> None:
    loaded = load(path)
    assert isinstance(loaded, HalfSpaceTrees)
    np.testing.assert_array_equal(loaded.score(X), detector().score(X))


def test_the_same_state_gives_the_same_bytes(path: Path) -> None:
    before = path.read_bytes()
    save(load(path), path)
    assert path.read_bytes() == before


def test_nothing_but_the_file_is_left_behind(path: Path) -> None:
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_save_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("models.persistence.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save(detector(), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


@pytest.mark.parametrize("content", [b"", b"not a model", pickle.dumps({"name": "x"})])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="not a model file"):
        load(path)


def test_a_pickle_within_the_file_is_not_run(path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"run": "me"}], object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("extra.npy", buffer.getvalue())
    with pytest.raises(ModelFileError, match="allow_pickle=False"):
        load(path)


def test_an_unknown_detector_is_refused_by_name(path: Path) -> None:
    rewrite(path, name="oracle")
    with pytest.raises(ModelFileError, match=r"'oracle', expected one of: .*isolation_forest"):
        load(path)


def test_another_version_is_refused(path: Path) -> None:
    rewrite(path, version=99)
    with pytest.raises(ModelFileError, match="version 99 of half_space_trees, expected 1"):
        load(path)


@pytest.mark.parametrize("state", [{}, {"features": [[]]}, {"features": ["a", "a"]}, 3])
def test_a_header_that_describes_no_detector_is_refused(path: Path, state: object) -> None:
    rewrite(path, state=state)
    with pytest.raises(ModelFileError):
        load(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_byte_is_refused_or_harmless(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(1, 255))
    damaged = path.with_suffix(".damaged")
    damaged.write_bytes(whole[:place] + bytes([whole[place] ^ byte]) + whole[place + 1 :])
    try:
        loaded = load(damaged)
    except ModelFileError:
        return
    np.testing.assert_array_equal(loaded.score(X), load(path).score(X))


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_truncated_file_is_refused(path: Path, data: st.DataObject) -> None:
    whole = path.read_bytes()
    damaged = path.with_suffix(".damaged")
    damaged.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelFileError):
        load(damaged)
