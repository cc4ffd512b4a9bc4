"""A file, or a folder of files that grows, as a source: Parquet, CSV and JSON lines.

Files are read in the order of their names, each to its end before the next. What is still being
written is not read: a last line without its line break, a Parquet file without its footer. A file
counts as complete when there is a later one; a complete one that is damaged is refused and
passed by.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from features.stream import Stream
from pipeline.sources.lines import Parsed, parse_csv, parse_json
from pipeline.sources.source import Batch, Position, SourceError, unreadable

__all__ = ["FileSource"]

PARQUET, CSV, JSON = {".parquet"}, {".csv"}, {".jsonl", ".ndjson"}
BATCH = 100_000
LINE = 160
"""Bytes that a line is reckoned with, so that a batch of lines is about as long as one of rows."""
LONGEST = 64 * 2**20


class FileSource:
    """One file or the files of a folder, from the beginning.

    A position is ``{"file": name, "at": n, "passed": k}``: rows of Parquet or bytes of text that
    were read of the file, null when it is done with, and how many files sort before it.

    Parameters
    ----------
    name : str
        Of the source.
    stream : Stream
        What the rows are.
    path : Path
        A file, or a folder whose files sort in the order of their events. Hidden files and other
        endings are left alone.
    follow : bool, default True
        Whether files may still grow and new ones come. False says that all is there: the last
        line needs no line break, and a damaged last file is refused.
    batch : int
        Rows of Parquet that a batch has at most; a batch of lines has about as many.
    """

    def __init__(
        self, name: str, stream: Stream, path: Path, *, follow: bool = True, batch: int = BATCH
    ) -> None:
        self.name = name
        self.stream = stream
        self.path = path
        self.follow = follow
        self.batch = batch
        self._group: tuple[tuple[object, ...], pl.DataFrame] | None = None

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """See `pipeline.sources.source.Source`."""
        if until is not None:
            file = self._file(until["file"])
            same = position is not None and position["file"] == until["file"]
            at = position["at"] if same and position is not None else 0
            batch = self._of(file, at, until["passed"], last=until["at"] is None, to=until["at"])
            if batch is None or batch.position != until:
                raise SourceError(f"{file} cannot be read up to {until['at']} as it was before")
            return batch
        names = self._names()
        if position is not None:
            self._check(position, names)
        for passed, name in enumerate(names):
            if position is not None and name < position["file"]:
                continue
            here = position is not None and name == position["file"]
            at = position["at"] if here and position is not None else 0
            if at is None:
                continue
            last = not self.follow or passed < len(names) - 1
            batch = self._of(self._file(name), at, passed, last=last)
            if batch is not None:
                return batch
            if not last:
                break
        return None

    def close(self) -> None:
        """Forget what is kept of the file at hand."""
        self._group = None

    @property
    def files(self) -> list[Path]:
        """The files that are there now, in the order of reading."""
        return [self._file(name) for name in self._names()]

    def _file(self, name: str) -> Path:
        return self.path / name if self.path.is_dir() else self.path

    def _names(self) -> list[str]:
        kinds = PARQUET | CSV | JSON
        if self.path.is_file():
            return [self.path.name]
        if not self.path.is_dir():
            raise SourceError(f"{self.path}: no such file or folder")
        return sorted(
            path.name
            for path in self.path.iterdir()
            if path.suffix.lower() in kinds and not path.name.startswith((".", "_"))
        )

    def _check(self, position: Position, names: list[str]) -> None:
        """Refuse to go on where a file would never be read."""
        before = [name for name in names if name < position["file"]]
        if len(before) > position["passed"]:
            raise SourceError(
                f"{self.path} has {len(before)} files before {position['file']}, which was being "
                f"read, expected {position['passed']}: a file came too late, up to {before[-1]}"
            )

    def _of(
        self, file: Path, at: int, passed: int, *, last: bool, to: int | None = None
    ) -> Batch | None:
        """The next batch of one file, None where nothing is left or complete there."""
        try:
            if file.suffix.lower() in PARQUET:
                return self._parquet(file, at, passed, last, to)
            return self._text(file, at, passed, last, to)
        except OSError as error:
            raise SourceError(f"{file}: {error.strerror or error}") from error

    def _parquet(
        self, file: Path, at: int, passed: int, last: bool, to: int | None
    ) -> Batch | None:
        try:
            whole = pq.ParquetFile(file)
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            if last:
                return self._damaged(file, at, passed, error, None)
            raise SourceError(f"{file}: not complete yet, or damaged: {_line(error)}") from error
        with whole:
            first = 0
            for group in range(whole.num_row_groups):
                rows = whole.metadata.row_group(group).num_rows
                if at < first + rows:
                    break
                first += rows
            else:
                return None
            here = Position(file=file.name, at=first + rows, passed=passed)
            try:
                frame = self._row_group(file, whole, group)
            except (pa.ArrowException, OSError) as error:
                return self._damaged(file, at, passed, error, first + rows)
        stop = min(at + self.batch, first + rows) if to is None else to
        return Batch(frame[at - first : stop - first], here | {"at": stop})

    def _row_group(self, file: Path, whole: pq.ParquetFile, group: int) -> pl.DataFrame:
        """Read once for all the batches it makes."""
        stat = file.stat()
        key = (file, stat.st_mtime_ns, stat.st_size, group)
        if self._group is None or self._group[0] != key:
            frame = pl.from_arrow(whole.read_row_group(group))
            assert isinstance(frame, pl.DataFrame)
            self._group = (key, frame)
        return self._group[1]

    def _damaged(
        self, file: Path, at: int, passed: int, error: Exception, then: int | None
    ) -> Batch:
        """One refused row for what cannot be read, and the position behind it."""
        place = "the file" if then is None else f"rows {at} to {then}"
        refused = unreadable(f"damaged file: {_line(error)}", [f"{file.name}: {place}"])
        position = Position(file=file.name, at=then, passed=passed)
        return Batch(pl.DataFrame(schema=self.stream.empty.schema), position, refused)

    def _text(self, file: Path, at: int, passed: int, last: bool, to: int | None) -> Batch | None:
        is_csv = file.suffix.lower() in CSV
        size = file.stat().st_size
        if size < at:
            raise SourceError(f"{file} has {size} bytes, of which {at} were read: it was replaced")
        with file.open("rb") as opened:
            header = opened.readline() if is_csv else b""
            if is_csv and not header.endswith(b"\n") and not last:
                return None
            at = max(at, len(header))
            opened.seek(at)
            wanted = (to - at) if to is not None else self.batch * LINE
            data = opened.read(wanted)
            # Without `until` a batch ends at the end of a record.
            while to is None and not (cut := _cut(data, is_csv)):
                more = opened.read(wanted) if len(data) < LONGEST else b""
                if not more:
                    cut = len(data) if last or len(data) >= LONGEST else 0
                    break
                data += more
        if to is None:
            data = data[:cut]
        if not data:
            return None
        events, refused = self._parse(header if is_csv else None, data)
        return Batch(events, Position(file=file.name, at=at + len(data), passed=passed), refused)

    def _parse(self, header: bytes | None, data: bytes) -> Parsed:
        if header is None:
            return parse_json(self.stream, data)
        names = header.decode("utf-8-sig", errors="replace").strip().split(",")
        return parse_csv(self.stream, [name.strip().strip('"') for name in names], data)


def _cut(data: bytes, is_csv: bool) -> int:
    """Where the last whole record ends: a line break within quotes ends none."""
    cut = data.rfind(b"\n") + 1
    while is_csv and cut and data.count(b'"', 0, cut) % 2:
        cut = data.rfind(b"\n", 0, cut - 1) + 1
    return cut


def _line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
