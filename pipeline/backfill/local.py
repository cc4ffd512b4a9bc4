"""Backfill on this machine: files through the border and the windower of the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

import polars as pl

from features.view import FeatureView
from features.windows import Windower
from pipeline.backfill.keep import Kept, keep
from pipeline.files import READERS, InputError, digest
from pipeline.lake import Lake
from pipeline.lake.schema import ASIDE
from pipeline.sources.files import BATCH, FileSource
from pipeline.stream.border import aside
from pipeline.stream.intake import Intake
from pipeline.stream.options import Options

__all__ = ["Filled", "backfill"]


@dataclass
class Filled:
    """What a backfill did: ``accepted + refused + late + future = given``, counted in rows.

    ``kept`` says what became of the windows.
    """

    given: int = 0
    refused: int = 0
    late: int = 0
    future: int = 0
    kept: Kept = field(default_factory=Kept)

    @property
    def accepted(self) -> int:
        """Rows that are events in time."""
        return self.given - self.refused - self.late - self.future

    def text(self) -> str:
        """The same for people."""
        return (
            f"{self.given:,} rows: {self.accepted:,} accepted, {self.refused:,} refused, "
            f"{self.late:,} late, {self.future:,} from the future; windows: {self.kept.text()}"
        )


def backfill(
    view: FeatureView,
    paths: Sequence[Path],
    lake: Lake,
    *,
    now: datetime,
    batch: int = BATCH,
) -> Filled:
    """Turn files of events into windows in the lake, as the stream would have done.

    Each path is read as a source of the stream: a file from its beginning to its end, a folder
    file by file in the order of names; several are merged by the time of their events. What is
    refused, late or from the future is put aside in the lake. The same files again add nothing.
    Memory holds about ``batch`` rows, a row group of each Parquet path, and the events of open
    windows.

    Parameters
    ----------
    paths : sequence of Path
        Files and folders: Parquet, CSV, JSON lines.
    now : datetime
        Aware; events after it are from the future.
    batch : int
        Rows that are read at once, of all paths together.

    Raises
    ------
    InputError
        A path cannot be read, is there twice, or holds no event of the view's stream.
    LakeError
        The lake cannot be read or written.
    """
    stream, tolerance = view.stream, Options().future_tolerance
    sources = _sources(view, paths, batch)
    intake = Intake(sources, future_tolerance=tolerance, report=_stop)
    intake.restore({})
    windower = Windower(view, future_tolerance=tolerance)
    away, filled, step = _Away(lake, view, sources, now), Filled(), 0
    waiting: list[pl.DataFrame] = []

    def settle() -> None:
        filled.kept += keep(lake, view, pl.concat(waiting))
        waiting.clear()

    while (batches := intake.read(now)) or intake.holding:
        step += 1
        taken = intake.take(batches, now, all_of_it=False)
        filled.given = sum(lane.state.given for lane in intake.lanes.values())
        filled.refused = sum(lane.state.refused for lane in intake.lanes.values())
        filled.future = sum(lane.state.future for lane in intake.lanes.values())
        if step == 1 and 0 < filled.given == filled.refused:
            raise _no_events(view, paths, taken.aside[stream.name][0])
        closed = windower.push(taken.events.get(stream.name, stream.empty).rechunk(), now)
        filled.late += len(closed.late)
        away.put(step, taken.aside.get(stream.name, []), closed.late)
        waiting.append(closed.windows)
        if sum(map(len, waiting)) >= BATCH:
            settle()
    if not filled.given:
        raise InputError(f"{_told(paths)}: no rows; expected events of {stream.name}")
    waiting.append(windower.flush().windows)
    settle()
    return filled


class _Away:
    """What is put aside, once however often the same files are read."""

    def __init__(
        self, lake: Lake, view: FeatureView, sources: Sequence[FileSource], now: datetime
    ) -> None:
        self._lake, self._view, self._sources, self._now = lake, view, sources, now

    def put(self, step: int, rows: Sequence[pl.DataFrame], late: pl.DataFrame) -> None:
        """Rows of any view of the stream, and those that are late for this one."""
        if rows:
            self._append("", pl.concat(rows), step)
        if len(late):
            why = "window was closed"
            table = aside("late", self._view.name, late, now=self._now, reason=why)
            self._append(f":{self._view.name}", table, step)

    def _append(self, whose: str, rows: pl.DataFrame, step: int) -> None:
        transaction = (f"backfill:{self._files}{whose}", step)
        self._lake.append(f"{ASIDE}{self._view.stream.name}", rows, transaction)

    @cached_property
    def _files(self) -> str:
        return digest([file for source in self._sources for file in source.files])


def _sources(view: FeatureView, paths: Sequence[Path], batch: int) -> list[FileSource]:
    for path in paths:
        if not path.is_dir() and path.suffix.lower() not in READERS:
            raise InputError(f"{path}: unknown kind of file; expected {', '.join(READERS)}")
        if sum(path.resolve() == other.resolve() for other in paths) > 1:
            raise InputError(f"{path}: is there twice; expected each file once")
    share = max(batch // len(paths), 1)
    return [FileSource(str(path), view.stream, path, follow=False, batch=share) for path in paths]


def _stop(name: str, error: str | None, failures: int, retry_at: datetime | None) -> None:
    # A history with a hole would look like one without.
    raise InputError(error)


def _no_events(view: FeatureView, paths: Sequence[Path], refused: pl.DataFrame) -> InputError:
    reason, column = refused.select("reason", "field").row(0)
    why = f"{reason} {column}" if column else reason
    return InputError(
        f"{_told(paths)}: none of the first rows is an event of {view.stream.name}: {why}"
    )


def _told(paths: Sequence[Path]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"
