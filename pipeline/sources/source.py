"""What every source is: batches of rows with the position where reading goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import polars as pl

from features.stream import Stream

__all__ = [
    "REFUSED",
    "Batch",
    "Divided",
    "Position",
    "Releasing",
    "Source",
    "SourceError",
    "told",
    "unreadable",
]

Position: TypeAlias = dict[str, Any]
"""Where reading goes on; made of what JSON can hold, and understood by its own source alone."""

REFUSED = {"reason": pl.String(), "row": pl.String()}
"""Columns of what could not even be parsed: why, and the text as it was given."""


class SourceError(Exception):
    """A source that cannot be read now; the loop reports it, waits and tries again."""


@dataclass(frozen=True)
class Batch:
    """Rows of a source in the order given, and where reading goes on after them.

    Parameters
    ----------
    events : polars.DataFrame
        Rows as the source gives them: the border (`Stream.validate`) judges them.
    position : dict
        Where reading goes on after this batch.
    refused : polars.DataFrame or None
        What could not even be parsed, with the columns of `REFUSED`.
    """

    events: pl.DataFrame
    position: Position
    refused: pl.DataFrame | None = None

    @property
    def given(self) -> int:
        """Rows given, those that could not be parsed included."""
        return len(self.events) + (0 if self.refused is None else len(self.refused))


class Source(Protocol):
    """Where the events of one stream come from.

    A source is repeatable: the same ``(position, until)`` gives the same rows, however often it
    is asked and by whichever process. It keeps no position of its own: the loop does, in the
    checkpoint. What cannot be read twice is written to a spool and read from there
    (`pipeline.sources.spool`).

    Attributes
    ----------
    name : str
        Unique in a configuration; the key of the source's position in the checkpoint.
    stream : Stream
        What its rows are.
    """

    @property
    def name(self) -> str: ...

    @property
    def stream(self) -> Stream: ...

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """The next batch after a position, or None where nothing is there now.

        Parameters
        ----------
        position : dict or None
            What an earlier batch gave; None reads from the beginning.
        until : dict, optional
            Exactly the rows up to this position, as they were read before: a step that was
            killed is repeated with the rows it had.

        Raises
        ------
        SourceError
            The source cannot be read now, or cannot give the rows up to ``until`` any more.
        """

    def close(self) -> None:
        """Give up connections and files; reading again opens them."""


@runtime_checkable
class Divided(Protocol):
    """What is read in parts, each a source of its own, known only once it can be asked."""

    @property
    def name(self) -> str: ...

    @property
    def stream(self) -> Stream: ...

    def parts(self) -> Sequence[Source]:
        """The parts there are now; a part keeps its name.

        Raises
        ------
        SourceError
            It cannot be asked now.
        """


@runtime_checkable
class Releasing(Protocol):
    """A source that keeps rows until they are not needed any more."""

    def release(self, position: Position) -> None:
        """Drop what was read before the position: no crash can ask for it again."""


def told(error: Exception) -> str:
    """What went wrong, for people.

    >>> told(SourceError("broker down")), told(KeyError("x"))
    ('broker down', "KeyError: 'x'")
    """
    return str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"


def unreadable(reason: str, rows: list[str]) -> pl.DataFrame:
    """Rows that could not be parsed, as a batch's ``refused``."""
    return pl.DataFrame(
        {"reason": pl.repeat(reason, len(rows), dtype=pl.String(), eager=True), "row": rows},
        schema=REFUSED,
    )
