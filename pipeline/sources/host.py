"""This machine as a source of events: its load, its disks and its network interfaces."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from features.stream import Stream
from features.system import DISK, HOST, NETWORK

__all__ = ["CADENCE", "HostSource"]

CADENCE = {
    HOST.name: timedelta(seconds=30),
    DISK.name: timedelta(minutes=1),
    NETWORK.name: timedelta(seconds=30),
}
"""How often each stream is sampled. Source: REQUIREMENTS.md, HM-CPU, HM-MEM and HM-DSK."""

STREAMS = {stream.name: stream for stream in (HOST, DISK, NETWORK)}
STATES = {
    "established": {"ESTABLISHED"},
    "half_open": {"SYN_RECV", "SYN_SENT"},
    "closing": {"TIME_WAIT"},
    "abandoned": {"CLOSE_WAIT"},
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, str | float | None]


class HostSource:
    """Sample the machine this process runs on, without waiting and without special rights.

    What the machine does not tell is null, never 0: containers and macOS keep some counters to
    themselves. Only numbers leave: no process names, no command lines, no addresses.

    Parameters
    ----------
    name : str, optional
        Name of the host in the events; by default the machine's own.
    cadence : mapping of stream name to timedelta
        A stream is sampled once in each of these intervals, which begin at the epoch.
    machine : module
        What is asked: ``psutil``, or something that answers like it.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        cadence: Mapping[str, timedelta] = CADENCE,
        machine: Any = psutil,
    ) -> None:
        self._name = name or socket.gethostname()
        self._cadence = cadence
        self._machine = machine
        self._cpu: dict[str, float] | None = None
        self._last: dict[str, int] = {}

    def sample(self, now: datetime) -> dict[str, pl.DataFrame]:
        """Take the samples that are due.

        Parameters
        ----------
        now : datetime
            Aware time of the samples.

        Returns
        -------
        dict of str to polars.DataFrame
            Valid events of ``host``, ``disk`` and ``network``; a stream that is not due, or of
            which the machine tells nothing, is left out, and so is an interface that is down.
        """
        read = {HOST.name: self._host, DISK.name: self._disks, NETWORK.name: self._networks}
        taken = {}
        for name, every in self._cadence.items():
            interval = (now - EPOCH) // every
            if self._last.get(name) == interval:
                continue
            self._last[name] = interval
            if rows := list(read[name]()):
                taken[name] = self._frame(STREAMS[name], rows, now)
        return taken

    def _frame(self, stream: Stream, rows: list[Row], now: datetime) -> pl.DataFrame:
        given = {"ts": now, "host": self._name, "id": (now - EPOCH) // timedelta(microseconds=1)}
        types = {column.name: column.type for column in stream.columns}
        return pl.DataFrame([given | row for row in rows], schema=types)

    def _ask(self, question: str, *args: Any, **how: Any) -> Any:
        """The machine's answer, or None where it gives none."""
        try:
            return getattr(self._machine, question)(*args, **how)
        except (psutil.Error, OSError, NotImplementedError, AttributeError):
            return None

    def _host(self) -> Iterator[Row]:
        cpu = self._cpu_shares()
        memory, swap = self._ask("virtual_memory"), self._ask("swap_memory")
        load, processes = self._ask("getloadavg"), self._ask("pids")
        yield {
            "cpu": cpu.get("busy"),
            "cpu_wait": cpu.get("iowait"),
            "cpu_steal": cpu.get("steal"),
            "load": _over(load and load[0], self._ask("cpu_count")),
            "memory": memory and 100 * (1 - memory.available / memory.total),
            "swap": swap and _over(100 * swap.used, swap.total),
            "processes": processes and len(processes),
            "context_switches": _sum(self._ask("cpu_stats"), "ctx_switches"),
        }

    def _cpu_shares(self) -> dict[str, float]:
        """Percent of processor time by state since the previous call; empty for the first."""
        times = self._ask("cpu_times")
        now = times and times._asdict()
        before, self._cpu = self._cpu, now
        if now is None or before is None:
            return {}
        # The kernel counts the time of guests in user and nice as well.
        spent = {k: max(now[k] - before[k], 0.0) for k in now if not k.startswith("guest")}
        total = sum(spent.values())
        if total <= 0:
            return {}
        shares = {state: 100 * time / total for state, time in spent.items()}
        idle = shares.get("idle", 0.0) + shares.get("iowait", 0.0)
        return shares | {"busy": min(max(100 - idle, 0.0), 100.0)}

    def _disks(self) -> Iterator[Row]:
        counters = self._ask("disk_io_counters", perdisk=True) or {}
        for mount, device in self._mounts().items():
            usage = self._ask("disk_usage", mount)
            if usage is None:
                continue
            io = counters.get(Path(device).resolve().name) if device else None
            yield {
                "mount": mount,
                "used": _over(100 * usage.used, usage.used + usage.free),
                "inodes": _inodes(mount),
                "read_bytes": _sum(io, "read_bytes"),
                "written_bytes": _sum(io, "write_bytes"),
                "operations": _sum(io, "read_count", "write_count"),
                "operation_ms": _sum(io, "read_time", "write_time"),
                "busy_ms": _sum(io, "busy_time"),
            }

    def _mounts(self) -> dict[str, str]:
        """Device by mount point: the root, and each device once; what is read-only cannot fill."""
        parts = self._ask("disk_partitions", all=False) or []
        mounts = {"/": ""}
        for part in sorted(parts, key=lambda p: len(p.mountpoint)):
            writable = "ro" not in part.opts.split(",")
            if part.mountpoint == "/" or (writable and part.device not in mounts.values()):
                mounts[part.mountpoint] = part.device
        return mounts

    def _networks(self) -> Iterator[Row]:
        counters = self._ask("net_io_counters", pernic=True) or {}
        links = self._ask("net_if_stats") or {}
        states = self._connections()
        for interface, io in counters.items():
            link = links.get(interface)
            if link and not link.isup:
                continue
            yield {
                "interface": interface,
                # psutil gives Mbit/s, and 0 where the speed is not known.
                "speed": link.speed * 125_000 if link and link.speed else None,
                **{name: None if states is None else states[interface, name] for name in STATES},
                "received_bytes": io.bytes_recv,
                "sent_bytes": io.bytes_sent,
                "packets": io.packets_recv + io.packets_sent,
                "dropped": io.dropin + io.dropout,
                "damaged": io.errin + io.errout,
            }

    def _connections(self) -> Counter[tuple[str, str]] | None:
        """Number of TCP connections by (interface, state); None where that is not told."""
        connections = self._ask("net_connections", "tcp")
        addresses = self._ask("net_if_addrs")
        if connections is None or addresses is None:
            return None
        interface = {
            a.address.partition("%")[0]: name for name, given in addresses.items() for a in given
        }
        states = {state: name for name, of in STATES.items() for state in of}
        return Counter(
            (interface.get(c.laddr.ip.removeprefix("::ffff:"), ""), states.get(c.status, ""))
            for c in connections
            if c.laddr
        )


def _over(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _sum(counters: Any, *names: str) -> float | None:
    """The named counters added up; None where one of them is not told."""
    values: list[Any] = [getattr(counters, name, None) for name in names]
    return None if None in values else float(sum(values))


def _inodes(mount: str) -> float | None:
    try:
        entries = os.statvfs(mount)
    except OSError:
        return None
    return _over(100 * (entries.f_files - entries.f_ffree), entries.f_files)
