"""A Kafka topic as sources, one a partition; where reading goes on is ours, not the broker's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Literal

import orjson
import polars as pl
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from features.stream import Stream
from pipeline.sources.arrow import ArrowError, frame_of_stream
from pipeline.sources.lines import Parsed, parse_json
from pipeline.sources.source import Batch, Position, SourceError, unreadable
from pipeline.stream.border import as_texts

__all__ = ["KafkaSource", "KafkaTopic", "Value"]

Value = Literal["json", "arrow"]

BATCH = 50_000
WAIT = 0.1
ANSWER_WITHIN, REPEAT_WITHIN = 10.0, 30.0


class KafkaSource:
    """One partition of a topic, from its oldest message.

    A position is ``{"offset": n}``: of the next message. It is kept in our checkpoint and sought
    at the start; nothing is committed to the broker, so that a message is read again exactly when
    its step was not done.

    Parameters
    ----------
    name : str
        Of the source.
    stream : Stream
        What the rows are.
    topic, partition
        What is read.
    servers : mapping of str to str
        Settings of librdkafka, ``bootstrap.servers`` at least.
    value : {"json", "arrow"}
        A message is a JSON object (or lines of them), or an Arrow IPC stream of rows.
    batch : int
        Messages that a batch has at most.
    """

    def __init__(
        self,
        name: str,
        stream: Stream,
        topic: str,
        partition: int,
        servers: Mapping[str, str],
        *,
        value: Value = "json",
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.stream = stream
        self._at = TopicPartition(topic, partition)
        self._servers = dict(servers)
        self._parse = _from_json if value == "json" else _from_arrow
        self._batch = batch
        self._consumer: Consumer | None = None
        self._next: int | None = None

    def read(self, position: Position | None, *, until: Position | None = None) -> Batch | None:
        """See `pipeline.sources.source.Source`."""
        try:
            offset = self._first() if position is None else int(position["offset"])
            self._seek(offset)
            found = self._consume(offset, None if until is None else int(until["offset"]))
        except KafkaException as error:
            self.close()
            raise SourceError(f"{self._place}: {_told(error.args[0])}") from error
        if not found:
            return None
        after = _offset(found[-1]) + 1
        # Repeating a step may have fetched more than the step had.
        self._next = after if until is None else None
        events, refused = self._parse(self.stream, [message.value() for message in found])
        return Batch(events, until or Position(offset=after), refused)

    def close(self) -> None:
        """Leave the broker; reading again connects."""
        if self._consumer is not None:
            self._consumer.close()
        self._consumer = self._next = None

    @property
    def _place(self) -> str:
        return f"topic {self._at.topic}, partition {self._at.partition}"

    def _connected(self) -> Consumer:
        if self._consumer is None:
            self._consumer = _consumer(self._servers)
        return self._consumer

    def _first(self) -> int:
        low, _ = self._connected().get_watermark_offsets(self._at, timeout=10)
        return int(low)

    def _end(self) -> int:
        _, high = self._connected().get_watermark_offsets(self._at, timeout=10)
        return int(high)

    def _seek(self, offset: int) -> None:
        if self._consumer is None or self._next != offset:
            self._connected().assign([TopicPartition(self._at.topic, self._at.partition, offset)])
            self._next = offset

    def _consume(self, offset: int, until: int | None) -> list[Message]:
        """The messages that are there, or exactly those before ``until``."""
        found: list[Message] = []
        deadline = time.monotonic() + (ANSWER_WITHIN if until is None else REPEAT_WITHIN)
        while True:
            room = self._batch - len(found)
            for message in self._connected().consume(room, WAIT):
                if (fault := message.error()) is None:
                    found.append(message)
                elif fault.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(fault)
            if until is None:
                # A partition whose answer is slow is not one that has none: the others would run
                # ahead of it, and its rows would come late.
                if found or time.monotonic() > deadline or offset >= self._end():
                    return found
                continue
            if found and _offset(found[-1]) + 1 >= until:
                return [message for message in found if _offset(message) < until]
            if time.monotonic() > deadline:
                self._next = None
                raise SourceError(f"{self._place}: offsets {offset} to {until} do not come again")


class KafkaTopic:
    """A topic whose partitions the broker is asked for; see `KafkaSource` for the parameters."""

    def __init__(
        self,
        name: str,
        stream: Stream,
        topic: str,
        servers: Mapping[str, str],
        *,
        value: Value = "json",
        batch: int = BATCH,
    ) -> None:
        self.name = name
        self.stream = stream
        self._topic, self._servers = topic, dict(servers)
        self._value, self._batch = value, batch

    def part(self, number: int) -> KafkaSource:
        """The source of one partition."""
        return KafkaSource(
            f"{self.name}.{number}",
            self.stream,
            self._topic,
            number,
            self._servers,
            value=self._value,
            batch=self._batch,
        )

    def parts(self) -> list[KafkaSource]:
        """See `pipeline.sources.source.Divided`."""
        try:
            consumer = _consumer(self._servers)
            try:
                found = consumer.list_topics(self._topic, timeout=10).topics[self._topic]
            finally:
                consumer.close()
        except KafkaException as error:
            raise SourceError(f"topic {self._topic}: {_told(error.args[0])}") from error
        if found.error is not None:
            raise SourceError(f"topic {self._topic}: {_told(found.error)}")
        return [self.part(number) for number in sorted(found.partitions)]


def _consumer(servers: Mapping[str, str]) -> Consumer:
    # A group has to be named; it is never joined.
    ours = {
        "group.id": "tocsin",
        "enable.auto.commit": False,
        "enable.partition.eof": False,
        # Messages that the broker has dropped before they were read are an error, not a gap.
        "auto.offset.reset": "error",
    }
    return Consumer({**servers, **ours})


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _from_json(stream: Stream, values: list[bytes | None]) -> Parsed:
    lines = [_one_line(value) for value in values if value]
    events, refused = parse_json(stream, b"\n".join(lines))
    return events, _and_empty(refused, len(values) - len(lines))


def _one_line(value: bytes) -> bytes:
    """A message on one line; lines of several objects stay as they are."""
    if b"\n" not in value:
        return value
    try:
        return orjson.dumps(orjson.loads(value))
    except orjson.JSONDecodeError:
        return value


def _from_arrow(stream: Stream, values: list[bytes | None]) -> Parsed:
    frames, bad = [], []
    for value in values:
        if not value:
            continue
        try:
            frames.append(frame_of_stream(value))
        except ArrowError as error:
            bad.append(f"{error}: {value[:200]!r}")
    refused = unreadable("not an Arrow IPC stream", bad) if bad else None
    empty = sum(not value for value in values)
    return _joined(stream, frames), _and_empty(refused, empty)


def _joined(stream: Stream, frames: list[pl.DataFrame]) -> pl.DataFrame:
    if not frames:
        return stream.empty
    if all(frame.schema == frames[0].schema for frame in frames):
        return pl.concat(frames)
    return pl.concat([as_texts(stream, frame) for frame in frames], how="diagonal_relaxed")


def _and_empty(refused: pl.DataFrame | None, count: int) -> pl.DataFrame | None:
    if not count:
        return refused
    empty = unreadable("message without a value", [""] * count)
    return empty if refused is None else pl.concat([refused, empty])


def _told(error: KafkaError) -> str:
    return f"{error.name()}: {error.str()}"
