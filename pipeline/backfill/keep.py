"""How computed windows enter the lake: those that are there stay as they are, none is doubled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from features.view import FeatureView
from pipeline.lake import Lake

__all__ = ["Kept", "keep"]

TOLERANCE = 1e-9
"""Windows are the same up to this, relative above 1."""
KEY, KNOWN = ["entity", "start"], ":known"
APPLICATION = "backfill:windows"
"""No loop can have this name: it would take our versions for its own."""


@dataclass(frozen=True)
class Kept:
    """What became of computed windows.

    Parameters
    ----------
    added : int
        Windows that the lake did not have.
    there : int
        Windows that it had, the same to 1e-9.
    differ : int
        Windows that it had with other values; the lake keeps its own.
    difference : str or None
        The first of these, in words.
    """

    added: int = 0
    there: int = 0
    differ: int = 0
    difference: str | None = None

    def __add__(self, more: Kept) -> Kept:
        return Kept(
            self.added + more.added,
            self.there + more.there,
            self.differ + more.differ,
            self.difference or more.difference,
        )

    def text(self) -> str:
        """The same for people."""
        told = f"{self.added:,} added, {self.there:,} were there"
        if self.difference is None:
            return told
        return f"{told}, {self.differ:,} have other values there, first {self.difference}"


def keep(lake: Lake, view: FeatureView, windows: pl.DataFrame) -> Kept:
    """Append the windows that the lake does not have.

    Any number of processes may do this at a time. The stream writes without looking: what it is
    about to close is left to it.

    Parameters
    ----------
    windows : polars.DataFrame
        With the columns of ``view.schema``, each (entity, start) once.

    Raises
    ------
    LakeError
        The lake cannot be read or written.
    """
    if windows.is_empty():
        return Kept()
    while True:
        version, known = _known(lake, view, windows)
        new = windows.join(known, on=KEY, how="anti")
        # Refused if somebody else has kept windows since that version: then it is looked again.
        if new.is_empty() or lake.append(view.name, new, (APPLICATION, version + 1)):
            differ, difference = _compared(view, windows, known)
            return Kept(len(new), len(windows) - len(new) - differ, differ, difference)


def _known(lake: Lake, view: FeatureView, windows: pl.DataFrame) -> tuple[int, pl.DataFrame]:
    """The newest version of the view's table, and its windows of the same time."""
    if view.name not in lake.views():
        return 0, windows.clear()
    version = lake.version(view.name)
    since, last = windows["start"].min(), windows["start"].max()
    assert isinstance(since, datetime)
    assert isinstance(last, datetime)
    found = lake.windows(view.name, since, last + datetime.resolution, version=version)
    missing = [pl.lit(None, kind).alias(n) for n, kind in view.schema.items() if n not in found]
    return version, found.with_columns(missing).select(*view.schema)


def _compared(
    view: FeatureView, windows: pl.DataFrame, known: pl.DataFrame
) -> tuple[int, str | None]:
    """How many windows have other values than those known, and the first that has."""
    both = windows.join(known, on=KEY, how="inner", suffix=KNOWN, maintain_order="left")
    marks = both.select((~_same(name)).alias(name) for name in view.names)
    differ = marks.select(pl.any_horizontal(pl.all())).to_series()
    if not differ.any():
        return 0, None
    row = both.row(first := differ.arg_true()[0], named=True)
    name = next(name for name in view.names if marks[name][first])
    values = f"{name} is {row[name]}, in the lake {row[name + KNOWN]}"
    return int(differ.sum()), f"{row['entity']} {row['start'].isoformat()}: {values}"


def _same(name: str) -> pl.Expr:
    ours, theirs = pl.col(name), pl.col(name + KNOWN)
    least = pl.min_horizontal(ours.abs(), theirs.abs())
    near = (ours - theirs).abs() <= TOLERANCE * (1 + least)
    return ours.eq_missing(theirs) | near.fill_null(False)
