"""A spool: what cannot be read twice is written to disk first, and read from there as a source.

HTTP pushes, samples of this host and scrapes come once. They are appended to segments of JSON
lines and synced to disk before the giver is told that they are taken. The loop reads the segments
as it reads any folder, and drops those it is done with.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from features.stream import Stream
from pipeline.sources.files import BATCH, FileSource
from pipeline.sources.source import Batch, Position, Source

__all__ = ["Spool", "SpoolFullError", "SpoolSource"]

SEGMENT_BYTES = 16 * 2**20
LIMIT_BYTES = 2**30
NAME = "{:012}.jsonl"


class SpoolFullError(Exception):
    """The spool holds as much as it may; the giver keeps its rows and comes again."""


class Spool:
    """Append rows to a folder of segments; any number of processes and threads may.

    Parameters
    ----------
    folder : Path
        Of this spool alone.
    limit : int
        Bytes that the segments may hold together: an append beyond is refused as a whole.
    segment : int
        Bytes after which the next append begins a new segment.

    Source: ours; segments after Kafka's log.
    """

    def __init__(
        self, folder: Path, *, limit: int = LIMIT_BYTES, segment: int = SEGMENT_BYTES
    ) -> None:
        self.folder = folder
        self.limit = limit
        self.segment = segment
        folder.mkdir(parents=True, exist_ok=True)

    def append(self, rows: pl.DataFrame | bytes) -> None:
        """Write rows, as a frame or as JSON lines, and return when the disk has them.

        Lines are not looked at: what is no JSON goes to the dead letters when it is read.

        Raises
        ------
        SpoolFullError
            There is no room within the limit.
        OSError
            The disk takes no more; nothing of these rows is kept.
        """
        data = rows if isinstance(rows, bytes) else rows.write_ndjson().encode()
        if not data.strip():
            return
        if not data.endswith(b"\n"):
            data += b"\n"
        with self._locked():
            held = self.size
            if held + len(data) > self.limit:
                raise SpoolFullError(
                    f"{self.folder} holds {held:,} bytes, {len(data):,} more came; "
                    f"expected {self.limit:,} at most"
                )
            segments = self.segments
            file = segments[-1] if segments else self.folder / NAME.format(1)
            if file.exists() and file.stat().st_size >= self.segment:
                file = self.folder / NAME.format(int(file.stem) + 1)
            self._write(file, data)

    @property
    def segments(self) -> list[Path]:
        """The segments that are kept, the oldest first."""
        return sorted(self.folder.glob("*.jsonl"))

    @property
    def size(self) -> int:
        """Bytes kept."""
        return sum(file.stat().st_size for file in self.segments)

    def release(self, position: Position) -> None:
        """Drop the segments before the one that is being read."""
        with self._locked():
            for file in self.segments:
                if file.name < position["file"]:
                    file.unlink()

    def _write(self, file: Path, data: bytes) -> None:
        new = not file.exists()
        with file.open("ab") as opened:
            start = opened.tell()
            try:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            except OSError:
                os.ftruncate(opened.fileno(), start)
                raise
        if new:
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "_lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # A writer that was killed has left half a line: it was never taken.
            for last in self.segments[-1:]:
                _drop_half_line(last)
            yield


class SpoolSource(Source):
    """A spool as a source: what was appended, in order, each row once.

    Parameters
    ----------
    name : str
        Of the source.
    stream : Stream
        What the rows are.
    spool : Spool
        Where they are.
    batch : int
        Rows that a batch has at most, about.
    """

    def __init__(self, name: str, stream: Stream, spool: Spool, *, batch: int = BATCH) -> None:
        self._files = FileSource(name, stream, spool.folder, batch=batch)
        self.spool = spool

    @property
    def name(self) -> str:
        """See `Source`."""
        return self._files.name

    @property
    def stream(self) -> Stream:
        """See `Source`."""
        return self._files.stream

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """See `Source`."""
        return self._files.read(position, until=until)

    def release(self, position: Position) -> None:
        """Drop what was read before the position, once no crash can ask for it again."""
        self.spool.release(position)

    def close(self) -> None:
        """See `Source`."""
        self._files.close()


def _drop_half_line(file: Path) -> None:
    with file.open("rb+") as opened:
        end = opened.seek(0, os.SEEK_END)
        at = end
        while at:
            step = min(at, 65_536)
            opened.seek(at - step)
            found = opened.read(step).rfind(b"\n")
            if found >= 0:
                at = at - step + found + 1
                break
            at -= step
        if at < end:
            opened.truncate(at)
