"""Whatever is given, nothing crashes and nothing is lost: accepted + refused + late + future.

Rows go through a source, the border and the windows of every view of their stream, as in the loop.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from features import trading
from features.catalogue import STREAMS, VIEWS
from features.extract import of_entities
from features.stream import Stream
from features.windows import Windower
from pipeline.sources import chain_decode as decode
from pipeline.sources.access_log import AccessLog
from pipeline.sources.chain_rpc import Rpc, UnreachableError
from pipeline.sources.files import FileSource
from pipeline.sources.parsers import JsonLines, Parser, parse_auth, parse_combined
from pipeline.sources.source import Batch, Position, Source
from pipeline.stream.border import ASIDE
from pipeline.stream.intake import Intake
from pipeline.stream.options import Options
from tests.pipeline.simulate.chain.nodes import world
from tests.pipeline.stream.malformed import (
    SPAN,
    answers,
    csv_lines,
    frames,
    json_lines,
    log_lines,
)
from tests.streams import START

GIVEN = 200_000
"""Malformed lines, rows and answers of a node in all."""
JSON, CSV, LOGS, ROWS, ANSWERS = 0.4, 0.2, 0.15, 0.15, 0.1
NOW = START + SPAN
PARSERS: dict[str, Parser] = {"combined": parse_combined, "auth": parse_auth, "json": JsonLines()}
COUNTING = [v if "count" in v.names else replace(v, declared=(*v.declared, trading.count))
            for v in VIEWS.values()]  # fmt: skip
"""The views, each with a feature that says how many events a window has."""

many = pytest.mark.parametrize(
    "given",
    [pytest.param(GIVEN // 40, id="few"), pytest.param(GIVEN, id="all", marks=pytest.mark.slow)],
)


def account(source: Source, given: int) -> Counter[str]:
    """Follow a source to its end: each row is one thing, and so it is in every view."""
    stream, tolerance = source.stream, Options().future_tolerance
    failed: list[object] = []
    intake = Intake([source], future_tolerance=tolerance, report=lambda *said: failed.append(said))
    intake.restore({})
    windowers = [Windower(view) for view in COUNTING if view.stream.name == stream.name]
    found: Counter[str] = Counter()
    placed: Counter[str] = Counter()
    while batches := intake.read(NOW):
        taken = intake.take(batches, NOW, all_of_it=True)
        away = pl.concat([pl.DataFrame(schema=ASIDE), *taken.aside.get(stream.name, [])])
        assert away["reason"].null_count() == away["row"].null_count() == 0
        found.update(away["kind"].to_list())
        events = taken.events.get(stream.name, stream.empty)
        found["accepted"] += len(events)
        for windower in windowers:
            view, closed = windower.view, windower.push(events, NOW)
            nobody = len(events) - len(of_entities(view, events))
            placed[view.name] += nobody + len(closed.late) + counted(closed.windows)
    assert failed == []
    state = intake.lanes[source.name].state
    assert given == state.given == found.total()
    assert (state.refused, state.future) == (found["refused"], found["future"])
    for windower in windowers:
        name = windower.view.name
        assert placed[name] + counted(windower.flush().windows) == found["accepted"], name
    return found


def counted(windows: pl.DataFrame) -> int:
    return int(windows["count"].sum())


def written(lines: list[bytes], file: Path) -> Path:
    file.write_bytes(b"\n".join(lines) + b"\n")
    return file


@many
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_no_json_line_is_lost(tmp_path: Path, stream: Stream, given: int) -> None:
    share = ceil(given * JSON / len(STREAMS))
    lines = json_lines(stream, share, random.Random(1))
    file = written(lines, tmp_path / "a.jsonl")
    found = account(FileSource("f", stream, file, follow=False, batch=share // 3), share)
    assert min(found["accepted"], found["refused"]) > 0


@many
@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_no_csv_record_is_lost(tmp_path: Path, stream: Stream, given: int) -> None:
    share = ceil(given * CSV / len(STREAMS))
    lines = csv_lines(stream, share, random.Random(2))
    file = written(lines, tmp_path / "a.csv")
    found = account(FileSource("f", stream, file, follow=False, batch=share // 3), share)
    assert min(found["accepted"], found["refused"]) > 0


@many
@pytest.mark.parametrize("kind", PARSERS)
def test_no_line_of_a_log_is_lost(tmp_path: Path, kind: str, given: int) -> None:
    share = ceil(given * LOGS / len(PARSERS))
    lines = log_lines(kind, share, random.Random(3))
    file = written(lines, tmp_path / "access.log")
    found = account(AccessLog("l", file, PARSERS[kind], clock=lambda: NOW, batch=100_000), share)
    assert min(found["accepted"], found["refused"]) > 0


class Listed:
    """A source of frames."""

    name = "listed"

    def __init__(self, stream: Stream, given: Iterator[pl.DataFrame]) -> None:
        self.stream, self._given = stream, given

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        at = 0 if position is None else position["at"]
        frame = next(self._given, None)
        return None if frame is None else Batch(frame, Position(at=at + len(frame)))

    def close(self) -> None: ...


@many
def test_no_row_is_lost(given: int) -> None:
    share, found = ceil(given * ROWS / len(STREAMS)), Counter[str]()
    for stream in STREAMS.values():
        rows = frames(stream, share, 25, random.Random(4))
        found += account(Listed(stream, rows), share)
    assert min(found["accepted"], found["refused"]) > 0


class Saying:
    """An endpoint that says what it is told to."""

    answer: Any = None

    def make_request(self, method: Any, params: Any) -> Any:
        return self.answer

    def make_batch_request(self, requests: Any) -> Any:
        raise AssertionError("not asked for")


@many
def test_an_answer_is_read_or_a_counted_fault(given: int) -> None:
    node = world().ledger.node
    asked: list[tuple[Any, Any]] = []
    for number in map(hex, range(3, 12)):
        of = node.make_request("eth_getBlockByNumber", (number, True))["result"]
        block = decode.block(of)
        receipts = node.make_request("eth_getBlockReceipts", (number,))
        traces = node.make_request("debug_traceBlockByHash", (block.hash, {}))
        asked.append(({"jsonrpc": "2.0", "id": 1, "result": of}, decode.block))
        asked.append((receipts, lambda answer, of=block: decode.receipts(answer, of)))
        asked.append((traces, lambda answer, of=block: decode.traces(answer, of)))
    endpoint, share, read = Saying(), ceil(given * ANSWERS), 0
    # Time passes, so that an endpoint that was wrong has rested when it is asked again.
    rpc = Rpc([endpoint], clock=map((1e6).__mul__, count()).__next__)
    told = answers([answer for answer, _ in asked], share, random.Random(5))
    for number, endpoint.answer in told:
        try:
            rpc.ask("debug", [], asked[number][1])
            read += 1
        except UnreachableError:
            continue
    assert rpc.counts["asked"] == share
    assert read > 0
    assert rpc.counts["malformed"] > 0
    assert read + rpc.counts["malformed"] == share
