"""A machine that tells little gives few numbers, and none that it did not tell."""

from __future__ import annotations

from collections import namedtuple
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import polars as pl
import psutil
import pytest

from features.extract import extract
from features.stream import Stream
from features.system import DISK, HOST, HOST_1M, NETWORK
from pipeline.sources.host import HostSource

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STREAMS = {s.name: s for s in (HOST, DISK, NETWORK)}
CpuTimes = namedtuple("CpuTimes", "user idle iowait steal guest")


def answer(**values: object) -> SimpleNamespace:
    return SimpleNamespace(**values)


def connection(address: str, status: str) -> SimpleNamespace:
    return answer(laddr=answer(ip=address, port=1), status=status)


def machine(**changes: Any) -> SimpleNamespace:
    """Something that answers like psutil on a small server; None: the question is not known."""
    times = iter([CpuTimes(10, 80, 5, 5, 2), CpuTimes(40, 140, 6, 14, 20)])
    answers: dict[str, Any] = {
        "cpu_times": lambda: next(times),
        "cpu_count": lambda: 4,
        "cpu_stats": lambda: answer(ctx_switches=1_234),
        "getloadavg": lambda: (2.0, 1.0, 0.5),
        "virtual_memory": lambda: answer(total=1_000, available=250),
        "swap_memory": lambda: answer(total=200, used=50),
        "pids": lambda: [1, 2, 3],
        "disk_partitions": lambda all: [
            answer(device="/dev/a", mountpoint="/", opts="rw,relatime"),
            answer(device="/dev/a", mountpoint="/etc/hosts", opts="rw"),
            answer(device="/dev/cd", mountpoint="/media", opts="ro"),
        ],
        "disk_usage": lambda mount: answer(used=60, free=20),
        "disk_io_counters": lambda perdisk: {
            "a": answer(
                read_bytes=1, write_bytes=2, read_count=3, write_count=4, read_time=5, write_time=6
            )
        },
        "net_io_counters": lambda pernic: {
            name: answer(
                bytes_recv=1,
                bytes_sent=2,
                packets_recv=3,
                packets_sent=4,
                dropin=5,
                dropout=6,
                errin=7,
                errout=8,
            )
            for name in ("eth0", "eth1", "down0")
        },
        "net_if_stats": lambda: {
            "eth0": answer(isup=True, speed=1_000),
            "eth1": answer(isup=True, speed=0),
            "down0": answer(isup=False, speed=0),
        },
        "net_if_addrs": lambda: {
            "eth0": [answer(address="192.0.2.1"), answer(address="fe80::1%eth0")],
            "eth1": [answer(address="198.51.100.7")],
        },
        "net_connections": lambda kind: [
            connection("192.0.2.1", "ESTABLISHED"),
            connection("::ffff:192.0.2.1", "ESTABLISHED"),
            connection("fe80::1", "CLOSE_WAIT"),
            connection("198.51.100.7", "SYN_RECV"),
            connection("0.0.0.0", "LISTEN"),
        ],
    }
    told = {name: value for name, value in (answers | changes).items() if value is not None}
    return SimpleNamespace(**told)


def only(frames: dict[str, pl.DataFrame], stream: Stream) -> dict[str, Any]:
    return frames[stream.name].row(0, named=True)


def refuse(*args: object, **more: object) -> Any:
    raise psutil.AccessDenied


def test_a_host_tells_its_load() -> None:
    source = HostSource("web-1", machine=machine())
    source.sample(NOON)
    row = only(source.sample(NOON + timedelta(seconds=30)), HOST)

    # Of 100 seconds in all, 30 in use by programs, 60 idle, 1 in wait for a disk, 9 stolen.
    assert row == {
        "ts": NOON + timedelta(seconds=30),
        "host": "web-1",
        "id": row["id"],
        "cpu": pytest.approx(39),
        "cpu_wait": pytest.approx(1),
        "cpu_steal": pytest.approx(9),
        "load": 0.5,
        "memory": 75,
        "swap": 25,
        "processes": 3,
        "latency": None,
        "context_switches": 1_234,
    }


def test_processor_use_is_unknown_until_there_are_two_readings() -> None:
    row = only(HostSource("h", machine=machine()).sample(NOON), HOST)
    assert {row["cpu"], row["cpu_wait"], row["cpu_steal"]} == {None}


def test_each_device_is_one_disk_and_what_is_read_only_is_none() -> None:
    frame = HostSource("h", machine=machine()).sample(NOON)[DISK.name]
    (row,) = frame.to_dicts()
    assert row["mount"] == "/"
    assert row["used"] == 75
    assert (row["read_bytes"], row["written_bytes"]) == (1, 2)
    assert (row["operations"], row["operation_ms"]) == (7, 11)
    assert row["busy_ms"] is None


def test_connections_are_counted_at_the_interface_of_their_address() -> None:
    frame = HostSource("h", machine=machine()).sample(NOON)[NETWORK.name]
    columns = ("interface", "speed", "established", "half_open", "closing", "abandoned")
    assert frame.select(columns).rows() == [
        ("eth0", 125_000_000, 2, 0, 0, 1),
        ("eth1", None, 0, 1, 0, 0),
    ]
    row = frame.row(0, named=True)
    assert (row["packets"], row["dropped"], row["damaged"]) == (7, 11, 15)
    assert (row["segments"], row["retransmitted"]) == (None, None)


@pytest.mark.parametrize(
    ("question", "stream", "columns"),
    [
        ("cpu_times", HOST, {"cpu", "cpu_wait", "cpu_steal"}),
        ("cpu_count", HOST, {"load"}),
        ("cpu_stats", HOST, {"context_switches"}),
        ("getloadavg", HOST, {"load"}),
        ("pids", HOST, {"processes"}),
        ("disk_io_counters", DISK, {"read_bytes", "operations", "busy_ms"}),
        ("net_connections", NETWORK, {"established", "half_open", "closing", "abandoned"}),
    ],
)
@pytest.mark.parametrize("how", [None, refuse], ids=["absent", "refused"])
def test_what_the_machine_does_not_tell_is_null(
    question: str, stream: Stream, columns: set[str], how: object
) -> None:
    source = HostSource("h", machine=machine(**{question: how}))
    source.sample(NOON)
    row = only(source.sample(NOON + timedelta(minutes=1)), stream)
    assert {row[column] for column in columns} == {None}


def test_a_host_without_swap_has_no_swap_use() -> None:
    told = machine(swap_memory=lambda: answer(total=0, used=0))
    assert only(HostSource("h", machine=told).sample(NOON), HOST)["swap"] is None


def test_no_connections_at_all_are_none_and_not_unknown() -> None:
    told = machine(net_connections=lambda kind: [])
    row = only(HostSource("h", machine=told).sample(NOON), NETWORK)
    assert row["established"] == 0


def test_a_machine_without_disks_or_interfaces_gives_no_such_samples() -> None:
    told = machine(disk_usage=refuse, net_io_counters=lambda pernic: {})
    assert set(HostSource("h", machine=told).sample(NOON)) == {"host"}


def test_each_stream_comes_once_in_each_interval_of_its_cadence() -> None:
    source = HostSource("h", machine=machine(cpu_times=None))
    seconds = (0, 5, 29, 31, 58, 60, 89.99, 90.01)
    taken = [set(source.sample(NOON + timedelta(seconds=s))) for s in seconds]
    both, all_ = {"host", "network"}, {"host", "disk", "network"}
    assert taken == [all_, set(), set(), both, set(), all_, set(), both]


def test_this_machine_gives_valid_events() -> None:
    source = HostSource("h")
    for minutes in (0, 1):
        now = NOON + timedelta(minutes=minutes)
        taken = source.sample(now)
        assert {HOST.name, DISK.name} <= set(taken)
        for name, frame in taken.items():
            validated = STREAMS[name].validate(frame, now=now)
            validated.refused.raise_first()
            assert validated.events.equals(frame)
    assert extract(HOST_1M, taken["host"])["memory_mean"].is_between(0, 100).all()
