"""A topic is read from our own positions: nothing is lost, nothing doubled, whatever is killed."""

from __future__ import annotations

import io
import multiprocessing
import random
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from features.silence import batch_windows
from features.trading import SYMBOL_5S, TRADES
from pipeline.sources.kafka import KafkaSource, KafkaTopic
from pipeline.sources.source import Batch, Position, SourceError
from tests.broker import broker, produce, topic_of
from tests.crash import follow_topic
from tests.streams import AFTER, loop_of, made_up

__all__ = ["broker"]

ROWS = made_up(TRADES, 600)


def lines(rows: pl.DataFrame) -> list[bytes]:
    return rows.write_ndjson().encode().splitlines()


def arrow(rows: pl.DataFrame) -> bytes:
    table, out = rows.to_arrow(), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def source(address: str, topic: str, **how: object) -> KafkaSource:
    servers = {"bootstrap.servers": address}
    return KafkaSource("k", TRADES, topic, 0, servers, **how)  # type: ignore[arg-type]


def read_until(of: KafkaSource, rows: int, position: Position | None = None) -> list[Batch]:
    batches: list[Batch] = []
    while sum(batch.given for batch in batches) < rows:
        if (batch := of.read(position)) is not None:
            batches.append(batch)
            position = batch.position
    return batches


def events_of(batches: list[Batch]) -> pl.DataFrame:
    return pl.concat([TRADES.validate(b.events, now=AFTER).events for b in batches])


@pytest.mark.parametrize("value", ["json", "arrow"])
def test_messages_come_once_in_order_and_again_when_asked(broker: str, value: str) -> None:
    topic = topic_of(broker, 1)
    messages = lines(ROWS)
    if value == "arrow":
        messages = [arrow(ROWS[i : i + 50]) for i in range(0, 600, 50)]
    produce(broker, topic, [(0, message) for message in messages])
    reader = source(broker, topic, value=value, batch=len(messages) // 4)
    batches = read_until(reader, 600)
    assert len(batches) >= 4
    assert_frame_equal(events_of(batches), ROWS)
    # As after a crash: another process, the same positions.
    again, position = source(broker, topic, value=value), None
    for batch in batches[:3]:
        repeated = again.read(position, until=batch.position)
        assert repeated is not None
        assert repeated.position == batch.position
        assert_frame_equal(repeated.events, batch.events)
        position = batch.position
    assert_frame_equal(events_of(read_until(again, 600 - 3 * batches[0].given, position)), ROWS[
        sum(b.given for b in batches[:3]) :
    ])  # fmt: skip
    reader.close()
    again.close()


def test_what_is_no_row_is_refused_and_counted(broker: str) -> None:
    topic = topic_of(broker, 1)
    produce(broker, topic, [(0, lines(ROWS)[0]), (0, b"{oops"), (0, None), (0, b'{\n"id":\n1}')])
    reader = source(broker, topic)
    (batch,) = read_until(reader, 4)
    assert batch.refused is not None
    assert batch.refused.rows() == [
        ("not a JSON object", "{oops"),
        ("message without a value", ""),
    ]
    assert batch.events["id"].to_list() == [0, 1]
    reader.close()


def test_a_broker_that_is_away_is_an_error_that_names_it() -> None:
    with pytest.raises(SourceError, match=r"topic t: _TRANSPORT|topic t: _ALL_BROKERS_DOWN"):
        KafkaTopic("k", TRADES, "t", {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}).parts()


def test_a_killed_consumer_loses_nothing_and_doubles_nothing(broker: str, tmp_path: Path) -> None:
    topic = topic_of(broker, 2)
    parts = KafkaTopic("k", TRADES, topic, {"bootstrap.servers": broker}).parts()
    assert [part.name for part in parts] == ["k.0", "k.1"]
    produce(broker, topic, [(i % 2, line) for i, line in enumerate(lines(ROWS))])
    context, chance = multiprocessing.get_context("forkserver"), random.Random(2)
    for lifetime in (*(chance.uniform(0.5, 3.0) for _ in range(3)), None):
        process = context.Process(target=follow_topic, args=(tmp_path, broker, topic, len(ROWS)))
        process.start()
        process.join(lifetime)
        process.kill() if lifetime else None
        process.join()
    assert process.exitcode == 0
    loop = loop_of(tmp_path, [], views=[SYMBOL_5S])
    state = loop.checkpoint.state()
    assert sum(s.given for s in state.sources.values()) == len(ROWS)
    assert state.views[SYMBOL_5S.name].accepted == len(ROWS)
    found = loop.lake.windows(SYMBOL_5S.name).select(*SYMBOL_5S.schema)
    assert_frame_equal(found, batch_windows(SYMBOL_5S, ROWS), rel_tol=1e-9)
    loop.close()
