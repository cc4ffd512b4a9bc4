"""Lines, rows and answers that something has happened to, many at a time, from a seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import polars as pl

from features.stream import Stream
from tests.streams import START, made_up

__all__ = ["LOGS", "SPAN", "answers", "csv_lines", "events", "frames", "json_lines", "log_lines"]

SPAN = timedelta(minutes=10)
"""What all events lie in but those whose time has been changed."""
TIMES = [
    "2026-03-01T22:03:00Z", "2026-03-01T21:00:00Z", "2026-03-01T23:30:00+00:00", "2026-02-30",
    "2026-03-01T22:09:59", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon",
]  # fmt: skip
VALUES = [
    None, True, -1, 0, 1.5, 1e308, 2**63, 2**70, -(2**64), "", "x", "NaN", "0x1f", "\x00", "é" * 9,
    [], [1, "a"], {}, {"a": {"b": None}}, *TIMES,
]  # fmt: skip
JUNK = bytes(b for b in range(256) if b not in b'\n\r"')
LOGS = {
    "combined": '{ip} - ann [01/Mar/2026:22:{minute:02}:{second:02} +0000] "GET /orders/{n}?x=1 '
    'HTTP/1.1" {status} {n} "-" "Mozilla/5.0 (X11)"',
    "auth": "Mar  1 22:{minute:02}:{second:02} gate sshd[{n}]: Failed password for invalid user "
    "ann from {ip} port {n} ssh2",
    "json": '{{"@timestamp": "2026-03-01T22:{minute:02}:{second:02}Z", "source": {{"ip": "{ip}"}}, '
    '"http": {{"response": {{"status_code": {status}}}}}, "url": {{"original": "/o/{n}"}}}}',
}
"""A line of each format of access logs."""


def events(stream: Stream, count: int) -> pl.DataFrame:
    """Valid events in order of time and id, in a few minutes."""
    at = [START + SPAN * (i / count) for i in range(count)]
    rows = made_up(stream, count)
    return rows.with_columns(pl.Series(stream.time, at, rows.schema[stream.time]))


def json_lines(stream: Stream, count: int, chance: random.Random) -> list[bytes]:
    """JSON lines; the first alone is as it should be."""
    first, *lines = events(stream, count).write_ndjson().encode().splitlines()
    return [first, *(_line(chance, line, _in_json) for line in lines)]


def csv_lines(stream: Stream, count: int, chance: random.Random) -> list[bytes]:
    """A header, then records without quotes; the first alone is as it should be."""
    text = events(stream, count).write_csv(datetime_format="%+").encode()
    header, first, *lines = text.splitlines()
    return [header, first, *(_line(chance, line, _in_csv) for line in lines)]


def log_lines(kind: str, count: int, chance: random.Random) -> list[bytes]:
    """Lines of a format of `LOGS`."""
    whole = []
    for i in range(count):
        minute, second = divmod(i * int(SPAN.total_seconds()) // count, 60)
        ip, status = f"10.0.{i % 7}.{i % 250}", chance.choice((200, 404, 500))
        line = LOGS[kind].format(n=i, ip=ip, minute=minute, second=second, status=status)
        whole.append(line.encode())
    edit = _in_json if kind == "json" else _in_words
    return [_line(chance, line, edit) for line in whole]


def frames(stream: Stream, count: int, of: int, chance: random.Random) -> Iterator[pl.DataFrame]:
    """Frames of so many rows in all, whose columns are gone or of other types and values."""
    rows = events(stream, count)
    for start in range(0, count, of):
        frame = rows[start : start + of]
        for _ in range(chance.randint(1, 3)):
            name = chance.choice(frame.columns)
            odd = [chance.choice(VALUES) for _ in range(len(frame))]
            kind = chance.choice(("gone", "one", "same", "texts", "objects"))
            if kind == "gone" and frame.width > 1:
                frame = frame.drop(name)
            elif kind == "one":
                frame = frame.with_columns(
                    pl.Series(name, odd[:1], strict=False).new_from_index(0, len(frame))
                )
            elif kind == "same":
                alike = [v if isinstance(v, float) else None for v in odd]
                frame = frame.with_columns(pl.Series(name, alike, pl.Float64))
            elif kind == "texts":
                mixed = [chance.choice(pair) for pair in zip(odd, frame[name], strict=True)]
                frame = frame.with_columns(pl.Series(name, [str(value) for value in mixed]))
            else:
                nested = [{"a": [len(str(v))]} for v in odd]
                frame = frame.with_columns(pl.Series(name, nested))
        yield frame


def answers(truth: list[Any], count: int, chance: random.Random) -> Iterator[tuple[int, Any]]:
    """Number of a true answer, and the answer with some of its values changed."""
    for _ in range(count):
        number = chance.randrange(len(truth))
        holder = {"answer": copy.deepcopy(truth[number])}
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            place, key = chance.choice(list(_places(holder)))
            value = place[key]
            odd = copy.deepcopy(
                chance.choice((*VALUES, "0x", "0xg", "0X1", "0x" + "f" * 70, "-0x1"))
            )
            if isinstance(value, str) and chance.random() < 0.4:
                odd = _bytes(chance, value.encode()).decode(errors="replace")
            if isinstance(place, dict) and chance.random() < 0.1:
                del place[key]
            else:
                place[key] = odd
            if not holder:
                break
        yield number, holder.get("answer")


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


Edit = Callable[[random.Random, bytes], bytes]


def _line(chance: random.Random, line: bytes, edit: Edit) -> bytes:
    """The line with something done to it; never blank, never two."""
    how = chance.random()
    if how < 0.5:
        line = edit(chance, line)
    elif how < 0.95:
        line = _bytes(chance, line)
    else:
        line = bytes(chance.choices(JUNK, k=chance.randint(1, 60)))
    line = line.replace(b"\n", b"").replace(b"\r", b"")
    return line if any(chr(byte).isalnum() and byte < 128 for byte in line) else line + b"x"


def _bytes(chance: random.Random, line: bytes) -> bytes:
    """Bytes cut off, taken out, put in or doubled."""
    a, b = sorted((chance.randint(0, len(line)), chance.randint(0, len(line))))
    junk = bytes(chance.choices(JUNK, k=chance.randint(1, 4)))
    return chance.choice(
        (line[:a], line[a:], line[:a] + line[a + 1 :], line[:a] + junk + line[a:],
         line[:a] + junk + line[a + len(junk) :], line[:b] + line[a:])
    )  # fmt: skip


def _in_json(chance: random.Random, line: bytes) -> bytes:
    row = json.loads(line)
    place, key = chance.choice(list(_places(row)))
    place[key] = chance.choice(VALUES)
    return json.dumps(row).encode()


def _in_csv(chance: random.Random, line: bytes) -> bytes:
    values = line.split(b",")
    odd = str(chance.choice(VALUES)).encode().replace(b'"', b"'")
    values[chance.randrange(len(values))] = odd
    return b",".join(values)


def _in_words(chance: random.Random, line: bytes) -> bytes:
    words = line.split(b" ")
    words[chance.randrange(len(words))] = str(chance.choice(VALUES)).encode()
    return b" ".join(words)
