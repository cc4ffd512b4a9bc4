"""Arrow IPC streams: what is one is read, what is broken is an error and nothing worse."""

from __future__ import annotations

import io
import random

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.sources.arrow import ArrowError, frame_of_stream

FRAME = pl.DataFrame(
    {
        "a": [1.0, None, 3.0],
        "b": ["x", None, "a longer text than fits into a view"],
        "c": [[1], [], [2, 3]],
        "d": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
    }
)


def stream(frame: pl.DataFrame, compression: str = "uncompressed") -> bytes:
    out = io.BytesIO()
    frame.write_ipc_stream(out, compression=compression)  # type: ignore[arg-type]
    return out.getvalue()


@pytest.mark.parametrize("compression", ["uncompressed", "lz4", "zstd"])
def test_a_stream_is_read_as_it_was_written(compression: str) -> None:
    assert_frame_equal(frame_of_stream(stream(FRAME, compression)), FRAME)


def test_broken_bytes_are_an_error_and_end_no_process() -> None:
    chance = random.Random(0)
    whole = [stream(FRAME, kind) for kind in ("uncompressed", "lz4")]
    refused = 0
    for _ in range(3_000):
        body = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            frame_of_stream(bytes(body[: chance.choice([len(body), chance.randrange(len(body))])]))
        except ArrowError:
            refused += 1
    assert refused > 1_000


@pytest.mark.parametrize("body", [b"", b"\xff" * 16, b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"PAR1"])
def test_what_is_no_stream_is_refused(body: bytes) -> None:
    with pytest.raises(ArrowError):
        frame_of_stream(body)
