"""Rows that a stream refuses: counted by reason, kept with their values, told in one line."""

from __future__ import annotations

import polars as pl

__all__ = ["Refusals", "StreamError"]


class StreamError(ValueError):
    """Events that cannot be read as a stream; the message names stream, column, row and value."""


class Refusals:
    """The refused rows of one batch.

    A row that breaks several rules is refused once, for the first rule it breaks, so that the
    counts add up: accepted + refused = given.

    Parameters
    ----------
    stream : str
        Name of the stream, for messages.
    expected : dict of str to str
        What each column takes, in words.
    """

    def __init__(self, stream: str, expected: dict[str, str]) -> None:
        self._stream = stream
        self._expected = expected
        self._tests: list[tuple[str, str, pl.Series]] = []
        self._bad: pl.Series | None = None
        self.rows = pl.DataFrame()

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, reason: str, column: str, broken: pl.Series) -> None:
        """Refuse the rows where the mask is true; a null in the mask is no reason."""
        broken = broken.fill_null(False)
        if broken.any():
            self._tests.append((reason, column, broken))
            self._bad = broken if self._bad is None else self._bad | broken

    def broken(self, length: int) -> pl.Series:
        """Mask of shape (length,): the rows refused so far."""
        return pl.repeat(False, length, eager=True) if self._bad is None else self._bad

    def collect(self, raw: pl.DataFrame) -> None:
        """Keep the refused rows as they were given, with ``row``, ``reason`` and ``column``."""
        if self._bad is None:
            return
        masks = pl.DataFrame([mask.alias(str(i)) for i, (_, _, mask) in enumerate(self._tests)])
        reason, column = (
            pl.coalesce(
                pl.when(pl.col(str(i))).then(pl.lit(test[part]))
                for i, test in enumerate(self._tests)
            )
            for part in (0, 1)
        )
        why = masks.select(reason=reason, column=column).with_row_index("row")
        ours = [name for name in raw.columns if name not in why.columns]
        self.rows = pl.concat([why, raw.select(ours)], how="horizontal").filter(self._bad)

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows that are not refused."""
        return frame if self._bad is None else frame.filter(~self._bad)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows were refused for each reason, the most frequent first."""
        if self._bad is None:
            return {}
        counted = self.rows.group_by("reason").len().sort("len", "reason", descending=[True, False])
        return dict(counted.iter_rows())

    @property
    def first(self) -> str:
        """The first refused row in one line: stream, column, row, value, expected."""
        if self._bad is None:
            return ""
        row = self.rows.row(0, named=True)
        column, reason = row["column"], row["reason"].replace("_", " ")
        value = f" = {row[column]!r}" if column in row else ""
        return (
            f"stream {self._stream}: row {row['row']}: {reason}: {column}{value}; "
            f"expected {self._expected[column]}"
        )

    def raise_first(self) -> None:
        """Raise `StreamError` for the first refused row, if there is one."""
        if self._bad is not None:
            raise StreamError(self.first)
