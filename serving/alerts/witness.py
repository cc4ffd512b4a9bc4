"""What must be kept so that an alert can be judged again: its window, its scores, who judged it."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Set
from pathlib import Path
from typing import Any

import polars as pl

from features.view import FeatureView
from pipeline.stream.kept import Judge
from serving.alerts.learned import Key

__all__ = ["KEPT", "Witness", "evidence", "numbers_of"]

KEPT = 50
"""Scorers kept of a view, the newest: at one alert a day, more than a month's."""

Row = dict[str, Any]


class Witness:
    """Keeps scorers as they were before the step that made an alert.

    A file is linked, not copied: what the loop removes stays here for as long as it is kept.

    Parameters
    ----------
    folder : Path
        Of all views.
    kept : int
    """

    def __init__(self, folder: Path, *, kept: int = KEPT) -> None:
        self.folder, self.kept = folder, kept
        self._scorer: Judge | None = None

    def judged_by(self, scorer: Judge | None) -> None:
        """Take note of what gives the file that judges the windows to come; None for none."""
        self._scorer = scorer

    def keep(self, view: str, windows: pl.DataFrame) -> Row:
        """Keep the scorer, and say which windows it judged in one step, JSON-able."""
        found = {
            "scorer": self._link(view) if self._scorer is not None else "",
            "since": windows["start"].min().isoformat(),  # type: ignore[union-attr]
            "until": windows["start"].max().isoformat(),  # type: ignore[union-attr]
            "windows": len(windows),
        }
        return found

    def _link(self, view: str) -> str:
        assert self._scorer is not None
        scorer = self._scorer()
        folder = self.folder / view
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"{scorer.parent.name}-{scorer.name}"
        # A step that is done again writes the same bytes to another file.
        fresh = kept.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        try:
            os.link(scorer, fresh)
        except OSError:
            shutil.copyfile(scorer, fresh)
        fresh.replace(kept)
        # os.replace of two names of one file leaves both.
        fresh.unlink(missing_ok=True)
        by_age = sorted(folder.glob("*.npz"), key=lambda file: (file.stat().st_mtime, file.name))
        for old in by_age[: -self.kept]:
            old.unlink(missing_ok=True)
        return f"{view}/{kept.name}"


def evidence(
    view: FeatureView,
    windows: pl.DataFrame,
    scores: pl.DataFrame,
    keys: Set[Key],
    scored: Set[Key],
    witness: Witness | None,
    *,
    model: str = "",
) -> dict[Key, Row]:
    """The windows that matter, JSON-able: ``window``, and where scores matter ``score``.

    Parameters
    ----------
    keys, scored : set of Key
        Windows that are told of, and those of them that a score speaks against.
    model : str
        Name and version of what scored them.
    """
    rows: dict[Key, Row] = {}
    for row in _of(view, windows, keys):
        rows[view.name, row["entity"], row["end"]] = {"window": _plain(row)}
    told = witness.keep(view.name, windows) if witness is not None and scored else {}
    for row in _of(view, scores, scored):
        key = view.name, row["entity"], row["end"]
        rows[key]["score"] = {"numbers": numbers_of(row), "model": model, **told}
    return rows


def numbers_of(row: Row) -> dict[str, float | None]:
    """The amounts of a row; None for what JSON has no word for."""
    return {
        name: value if value is not None and math.isfinite(value) else None
        for name, value in row.items()
        if value is None or isinstance(value, float)
    }


def _of(view: FeatureView, table: pl.DataFrame, keys: Set[Key]) -> list[Row]:
    wanted = [entity for name, entity, _ in keys if name == view.name]
    if not wanted:
        return []
    some = table.filter(pl.col("entity").is_in(wanted)).iter_rows(named=True)
    return [row for row in some if (view.name, row["entity"], row["end"]) in keys]


def _plain(row: Row) -> Row:
    times = {name: row[name].isoformat() for name in ("start", "end")}
    return {"entity": row["entity"], **times, **numbers_of(row)}
