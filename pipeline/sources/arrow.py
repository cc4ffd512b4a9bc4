"""Arrow IPC streams from outside: whatever the bytes are, a frame or an error, never a crash."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

__all__ = ["ArrowError", "frame_of_stream"]

FAULTS = (
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
    NotImplementedError,
)


class ArrowError(ValueError):
    """Bytes that are no Arrow IPC stream."""


def frame_of_stream(body: bytes) -> pl.DataFrame:
    """Read an Arrow IPC stream.

    Polars' own reader ends the process on lengths that cannot be; pyarrow's checks them, and what
    it read is looked at in full before Polars trusts it.

    Raises
    ------
    ArrowError
        It cannot be read.
    """
    try:
        with pa.ipc.open_stream(body) as reader:
            table = reader.read_all()
        table.validate(full=True)
        frame = pl.from_arrow(table)
    except FAULTS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArrowError(reason) from error
    if not isinstance(frame, pl.DataFrame):
        raise ArrowError("no columns")
    return frame
