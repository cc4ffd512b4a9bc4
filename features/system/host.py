"""A host: its processors, its memory, and how far away the network is."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.stream import Column, Stream
from features.system.samples import (
    SHARED,
    change,
    counter,
    gauge,
    increases,
    moment,
    peak_per_second,
    per_second,
    percent,
    ratio,
)
from features.view import FeatureView, collect, derived, feature

__all__ = ["HOST", "HOST_1M"]

COUNTERS = (counter("context_switches", "Switches from one thread to another.", "switches"),)
HOST = Stream(
    "host",
    (
        *moment(Column("host", pl.String(), "Name of the host.")),
        percent("cpu", "Processor time in use since the previous sample, all cores together."),
        percent("cpu_wait", "Processor time that waited for a disk."),
        percent("cpu_steal", "Processor time that the hypervisor gave to others."),
        gauge("load", "Runnable threads, mean of a minute, for each core.", "threads"),
        percent("memory", "Memory in use: what is not available to a new process."),
        percent("swap", "Swap space in use."),
        gauge("processes", "Processes there are.", "processes"),
        gauge("latency", "Round trip to a reference host.", "ms"),
        *COUNTERS,
    ),
    key=("host", "id"),
)


@derived
def memory_change(memory: pl.Expr, first_of_entity: pl.Expr) -> pl.Expr:
    """Memory in use less that of the previous sample, in percentage points."""
    return change(memory, first_of_entity)


@feature(unit="%", direction="high", source="HM-CPU, AR-M1")
def cpu_mean(cpu: pl.Expr) -> pl.Expr:
    """Mean processor use of the samples."""
    return cpu.mean()


@feature(unit="%", direction="high", source="HM-CPU")
def cpu_max(cpu: pl.Expr) -> pl.Expr:
    """Highest processor use of a sample."""
    return cpu.max()


@feature(unit="%", direction="high", source="HM-CPU")
def cpu_wait_mean(cpu_wait: pl.Expr) -> pl.Expr:
    """Mean share of processor time that waited for a disk."""
    return cpu_wait.mean()


@feature(unit="%", direction="high", source="HM-CPU")
def cpu_steal_mean(cpu_steal: pl.Expr) -> pl.Expr:
    """Mean share of processor time that the hypervisor gave to others."""
    return cpu_steal.mean()


@feature(unit="threads", direction="high", scale="ratio", source="HM-CPU")
def load_last(load: pl.Expr) -> pl.Expr:
    """Runnable threads for each core, last known value; above 1 threads wait."""
    return load.drop_nulls().last()


@feature(unit="switches/s", scale="ratio", source="PA-H3")
def context_switch_rate(context_switches_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Switches from one thread to another in a second."""
    return per_second(context_switches_increase, elapsed)


@feature(unit="switches/s", direction="high", scale="ratio", source="PA-H3")
def context_switch_peak(context_switches_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Highest rate of switches between two samples."""
    return peak_per_second(context_switches_increase, elapsed)


@feature(unit="%", direction="high", source="HM-MEM")
def memory_mean(memory: pl.Expr) -> pl.Expr:
    """Mean memory use of the samples."""
    return memory.mean()


@feature(unit="%", direction="high", source="HM-MEM, AR-M2, PF-D4")
def memory_max(memory: pl.Expr) -> pl.Expr:
    """Highest memory use of a sample."""
    return memory.max()


@feature(unit="%/min", direction="high", source="HM-MEM")
def memory_growth(memory_change: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Percentage points of memory that came into use in a minute; a leak stays above 0."""
    return 60 * ratio(memory_change, elapsed)


@feature(unit="%", direction="high", source="HM-MEM")
def swap_max(swap: pl.Expr) -> pl.Expr:
    """Highest use of swap space of a sample."""
    return swap.max()


@feature(unit="processes", direction="both", scale="ratio", source="PA-H3")
def processes_last(processes: pl.Expr) -> pl.Expr:
    """Processes there are, last known value."""
    return processes.drop_nulls().last()


@feature(unit="ms", direction="high", scale="ratio", source="AR-M4")
def latency_mean(latency: pl.Expr) -> pl.Expr:
    """Mean round trip to the reference host."""
    return latency.mean()


@feature(unit="ms", direction="high", scale="ratio", source="AR-M4")
def latency_max(latency: pl.Expr) -> pl.Expr:
    """Longest round trip to the reference host."""
    return latency.max()


# An agent that sends a sample together with the next one, 30 s later, is still in time.
HOST_1M = FeatureView(
    "system.host_1m",
    HOST,
    ("host",),
    timedelta(minutes=1),
    (*SHARED, *increases(COUNTERS), *collect(__name__)),
    lateness=timedelta(seconds=30),
    retention=timedelta(days=30),
)
