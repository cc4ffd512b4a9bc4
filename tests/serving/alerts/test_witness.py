"""The witness: what the loop removes is still there for a replay, and not for ever."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from pathlib import Path

import polars as pl

from features.catalogue import VIEWS
from serving.alerts.witness import Witness, evidence, numbers_of
from tests.serving.verdicts import NOON

HOST = VIEWS["system.host_1m"]
MINUTE = timedelta(minutes=1)
WINDOWS = pl.DataFrame(
    [
        {"entity": name, "start": NOON, "end": NOON + MINUTE, "memory_max": value}
        for name, value in (("a", 1.5), ("b", float("inf")))
    ],
    schema=dict(HOST.schema),
)
SCORES = WINDOWS.select("entity", "start", "end").with_columns(
    p=pl.Series([0.1, 0.2]), warm=pl.lit(True)
)


def _file(folder: Path, number: int, text: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"view-{number:03}.npz"
    file.write_text(text or str(number))
    os.utime(file, (number, number))
    return file


def test_a_scorer_stays_when_the_loop_removes_it(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "evidence")
    file = _file(tmp_path / "stream", 1, "knows")
    witness.judged_by(lambda: file)
    kept = witness.keep("a.view", WINDOWS)
    file.unlink()
    assert (tmp_path / "evidence" / kept["scorer"]).read_text() == "knows"
    assert (kept["windows"], kept["since"], kept["until"]) == (
        2,
        NOON.isoformat(),
        NOON.isoformat(),
    )


def test_a_step_that_is_done_again_keeps_what_it_was_judged_by(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "evidence")
    for text in ("first", "first", "second"):
        file = tmp_path / "stream" / "view-001.npz"
        file.unlink(missing_ok=True)
        witness.judged_by(partial(_file, tmp_path / "stream", 1, text))
        twice = [witness.keep("a.view", WINDOWS)["scorer"] for _ in range(2)]
        assert twice[0] == twice[1]
    assert [f.read_text() for f in (tmp_path / "evidence" / "a.view").iterdir()] == ["second"]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    witness = Witness(tmp_path / "evidence", kept=2)
    for number in (1, 2, 3):
        witness.judged_by(partial(_file, tmp_path / "stream", number))
        witness.keep("a.view", WINDOWS)
    left = sorted(f.read_text() for f in (tmp_path / "evidence" / "a.view").iterdir())
    assert left == ["2", "3"]


def test_without_a_scorer_none_is_named(tmp_path: Path) -> None:
    assert Witness(tmp_path).keep("a.view", WINDOWS)["scorer"] == ""
    assert list(tmp_path.iterdir()) == []


def test_evidence_is_of_the_windows_that_are_told_of_and_scores_where_they_matter() -> None:
    a, b = ((HOST.name, name, NOON + MINUTE) for name in ("a", "b"))
    rows = evidence(HOST, WINDOWS, SCORES, {a, b}, {a}, None, model="version 3")
    assert rows[a]["window"]["memory_max"] == 1.5
    assert rows[a]["score"] == {"numbers": {"p": 0.1}, "model": "version 3"}
    assert "score" not in rows[b]
    assert rows[b]["window"]["start"] == NOON.isoformat()
    assert evidence(HOST, WINDOWS, SCORES, {("correlation", "a", NOON)}, set(), None) == {}


def test_numbers_are_what_json_can_say() -> None:
    row = {"entity": "a", "x": 0.1, "y": float("nan"), "z": None, "warm": True}
    assert numbers_of(row) == {"x": 0.1, "y": None, "z": None}
