"""An access log as a source: a file that grows, is rotated away or truncated, and is followed.

Lines are read once each, whatever becomes of the file: one that is renamed is read to its end
under its new name, one that is copied and truncated is read to its end in its copy. A file is known
by its inode and by a fingerprint of its first bytes, which truncation and a reused inode change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from zlib import crc32

import polars as pl

from features.access import ACCESS
from features.stream import Stream
from pipeline.sources.parsers import Parser
from pipeline.sources.source import Batch, Position, SourceError

__all__ = ["AccessLog"]

HEAD = 256
"""Bytes at the start of a file that tell it from others."""
BATCH = 8 * 2**20
"""Bytes read at once."""
NAMES = 4_096
"""An event's id is its line's number times this and a number made of the source's name, so that
the lines of two logs have different ids."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class AccessLog:
    """The lines of one log and of the files it is rotated to, in the order they were written.

    A position is ``{"inode", "head", "length", "offset", "line", "read"}``: inode of the file,
    SHA-256 of its first ``length`` bytes, bytes and lines read (lines over all files), and the
    time of reading, which gives a syslog line its year when it is read again.

    Parameters
    ----------
    name : str
        Of the source.
    path : Path
        The log. Beside it, ``<name>.1``, ``<name>-20260131`` and the like are what it was rotated
        to; compressed ones (``.gz``, ``.xz``, ``.bz2``, ``.zst``) are not read.
    parser : Parser
        One of `pipeline.sources.parsers`.
    clock : callable
        Gives the time, aware.
    batch : int
        Bytes that a batch has at most. A longer line is cut there.
    """

    stream: Stream = ACCESS

    def __init__(
        self,
        name: str,
        path: Path,
        parser: Parser,
        *,
        clock: Callable[[], datetime] = _utc_now,
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.path = path
        self.parser = parser
        self.clock = clock
        self.batch = batch

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """See `pipeline.sources.source.Source`. The beginning is that of the log as it is now."""
        try:
            if until is not None:
                return self._again(position, until)
            return self._next(position)
        except OSError as error:
            raise SourceError(
                f"{error.filename or self.path}: {error.strerror or error}"
            ) from error

    def close(self) -> None:
        """Files are open only while they are read."""

    def _next(self, position: Position | None) -> Batch | None:
        files = self._files()
        if not files:
            raise SourceError(f"{self.path}: no such file")
        now = self.clock()
        line, at, offset = 0, max(0, len(files) - 1), 0
        if position is not None:
            line = position["line"]
            # Where the file is gone, it was truncated without a copy: the log begins anew.
            if (found := _find(files, position)) is not None:
                at, offset = found, position["offset"]
        while at < len(files):
            # Once the next file is written to, a last line without its line break is whole.
            done = at < len(files) - 1 and files[at + 1].stat().st_size > 0
            data = self._data(files[at], offset, done=done)
            if data:
                return self._batch(files[at], offset, data, line, now)
            at, offset = at + 1, 0
        return None

    def _again(self, position: Position | None, until: Position) -> Batch:
        files = self._files()
        found = _find(files, until)
        if found is None:
            raise SourceError(f"{self.path}: the file read up to {until['offset']} is gone")
        file = files[found]
        same = position is not None and _is(file, position)
        start = position["offset"] if same and position is not None else 0
        line = 0 if position is None else position["line"]
        with file.open("rb") as opened:
            opened.seek(start)
            data = opened.read(until["offset"] - start)
        batch = self._batch(file, start, data, line, datetime.fromisoformat(until["read"]))
        if batch.position["line"] != until["line"]:
            raise SourceError(f"{file} is not as it was when it was read up to {until['offset']}")
        return Batch(batch.events, until, batch.refused)

    def _files(self) -> list[Path]:
        """What the log was rotated to, oldest first, and the log itself last."""
        packed = {".gz", ".xz", ".bz2", ".zst"}
        rotated = [
            file
            for mark in ".-"
            for file in self.path.parent.glob(f"{self.path.name}{mark}*")
            if file.suffix not in packed and file.is_file()
        ]
        rotated.sort(key=lambda file: file.stat().st_mtime_ns)
        # Between renaming and creating there is no log; the next one begins empty.
        return [*rotated, self.path] if self.path.is_file() else rotated

    def _data(self, file: Path, offset: int, *, done: bool) -> bytes:
        """Whole lines from an offset on; a line longer than a batch in pieces."""
        with file.open("rb") as opened:
            opened.seek(offset)
            data = opened.read(self.batch)
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) == self.batch:
            return data
        return data if done and len(data) < self.batch else data[:cut]

    def _batch(self, file: Path, offset: int, data: bytes, line: int, now: datetime) -> Batch:
        texts = data.decode(errors="replace").split("\n")
        if texts[-1] == "":
            texts.pop()
        lines = pl.Series("line", texts, dtype=pl.String).str.strip_suffix("\r")
        events, refused = self.parser(lines, now)
        mark = crc32(self.name.encode()) % NAMES
        end = offset + len(data)
        length = min(HEAD, end)
        position = Position(
            inode=file.stat().st_ino,
            head=_head(file, length),
            length=length,
            offset=end,
            line=line + len(lines),
            read=now.isoformat(),
        )
        return Batch(events.with_columns((pl.col("id") + line) * NAMES + mark), position, refused)


def _head(file: Path, length: int) -> str:
    with file.open("rb") as opened:
        return hashlib.sha256(opened.read(length)).hexdigest()


def _is(file: Path, position: Position) -> bool:
    """Whether a file begins as the one of a position did, and is at least as long."""
    if file.stat().st_size < position["offset"]:
        return False
    return bool(_head(file, position["length"]) == position["head"])


def _find(files: list[Path], position: Position) -> int | None:
    """The file of a position, by its first bytes; of several such the one with its inode."""
    alike = [i for i, file in enumerate(files) if _is(file, position)]
    same = [i for i in alike if files[i].stat().st_ino == position["inode"]]
    return next(iter([*same, *alike]), None)
