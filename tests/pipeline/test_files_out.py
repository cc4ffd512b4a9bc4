"""A file is written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.files import InputError, read_table, write_parquet

FRAME = pl.DataFrame({"entity": ["a", "b"], "score": [1.5, None]})


def test_what_is_written_is_read_back_also_by_pandas(tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "new" / "folder" / "w.parquet"
    write_parquet(FRAME, path)
    assert_frame_equal(read_table(path), FRAME)
    assert pd.read_parquet(path)["entity"].tolist() == ["a", "b"]
    assert list(path.parent.iterdir()) == [path]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "w.parquet"
    path.write_text("old")
    write_parquet(FRAME, path)
    assert_frame_equal(read_table(path), FRAME)


def test_the_output_needs_no_ending(tmp_path: Path) -> None:
    write_parquet(FRAME, tmp_path / "w")
    assert_frame_equal(pl.read_parquet(tmp_path / "w"), FRAME)


@pytest.mark.parametrize(
    "failure",
    [OSError(28, "No space left on device"), pl.exceptions.ComputeError("parquet: File too large")],
    ids=["system", "polars"],
)
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    path = tmp_path / "w.parquet"
    path.write_text("old")

    def fail(_: pl.DataFrame, place: str) -> None:
        Path(place).write_text("half")
        raise failure

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(InputError, match=r"w\.parquet: cannot be written: .*(No space|too large)"):
        write_parquet(FRAME, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_output(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a directory; expected the name of a file"):
        write_parquet(FRAME, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write_parquet(FRAME, tmp_path / "file" / "w.parquet")
    assert (tmp_path / "file").read_text() == "x"
