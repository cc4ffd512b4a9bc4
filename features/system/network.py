"""A network interface: bandwidth, loss of packets, states of connections, errors of protocols."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from features.stream import Column, Stream
from features.system.samples import (
    SHARED,
    counter,
    gauge,
    increases,
    moment,
    part_of,
    peak_per_second,
    per_second,
)
from features.view import FeatureView, collect, derived, feature

__all__ = ["NETWORK", "NETWORK_1M"]

COUNTERS = (
    counter("received_bytes", "Bytes received.", "B"),
    counter("sent_bytes", "Bytes sent.", "B"),
    counter("packets", "Packets received and sent.", "packets"),
    counter("dropped", "Packets dropped, in either direction.", "packets"),
    counter("damaged", "Packets refused or not sent because of an error.", "packets"),
    counter("segments", "TCP segments sent.", "segments"),
    counter("retransmitted", "TCP segments sent again.", "segments"),
)
NETWORK = Stream(
    "network",
    (
        *moment(
            Column("host", pl.String(), "Name of the host."),
            Column("interface", pl.String(), "Name of the network interface."),
        ),
        gauge("speed", "What the link carries in each direction.", "B/s"),
        gauge("established", "TCP connections that are open.", "connections"),
        gauge("half_open", "TCP connections whose handshake is not done.", "connections"),
        gauge("closing", "TCP connections closed, in wait for stray packets.", "connections"),
        gauge("abandoned", "TCP connections that only the other side has closed.", "connections"),
        *COUNTERS,
    ),
    key=("host", "interface", "id"),
)


@derived
def carried(received_bytes_increase: pl.Expr, sent_bytes_increase: pl.Expr) -> pl.Expr:
    """Bytes since the previous sample in the busier direction; null unless both are known."""
    both = received_bytes_increase.is_not_null() & sent_bytes_increase.is_not_null()
    return pl.when(both).then(pl.max_horizontal(received_bytes_increase, sent_bytes_increase))


@derived
def room(speed: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Bytes that the link could have carried since the previous sample."""
    return speed * elapsed


@derived
def offered(packets_increase: pl.Expr, dropped_increase: pl.Expr) -> pl.Expr:
    """Packets since the previous sample, the dropped ones included."""
    return packets_increase + dropped_increase


@derived
def handled(packets_increase: pl.Expr, damaged_increase: pl.Expr) -> pl.Expr:
    """Packets since the previous sample, the damaged ones included."""
    return packets_increase + damaged_increase


@feature(unit="B/s", direction="both", scale="ratio", source="PA-N1, SP-M3")
def received_rate(received_bytes_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Bytes received in a second."""
    return per_second(received_bytes_increase, elapsed)


@feature(unit="B/s", direction="both", scale="ratio", source="PA-N1, SP-M3")
def sent_rate(sent_bytes_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Bytes sent in a second."""
    return per_second(sent_bytes_increase, elapsed)


@feature(unit="B/s", direction="high", scale="ratio", source="PA-N1")
def bandwidth_peak(carried: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Highest rate between two samples, in the busier direction."""
    return peak_per_second(carried, elapsed)


@feature(unit="%", direction="high", source="PA-N1")
def bandwidth_use(carried: pl.Expr, room: pl.Expr) -> pl.Expr:
    """Bytes in the busier direction over what the link carries; null where that is unknown."""
    return part_of(carried, room)


@feature(unit="packets/s", direction="both", scale="ratio", source="PA-N1, SP-M3")
def packet_rate(packets_increase: pl.Expr, elapsed: pl.Expr) -> pl.Expr:
    """Packets received and sent in a second."""
    return per_second(packets_increase, elapsed)


@feature(unit="%", direction="high", source="PA-N2")
def packet_loss(dropped_increase: pl.Expr, offered: pl.Expr) -> pl.Expr:
    """Share of the packets that were dropped; null without packets."""
    return part_of(dropped_increase, offered)


@feature(unit="connections", direction="both", scale="ratio", source="PA-N3")
def established_mean(established: pl.Expr) -> pl.Expr:
    """Mean number of open TCP connections."""
    return established.mean()


@feature(unit="connections", direction="high", source="PA-N3; RFC 4987")
def half_open_max(half_open: pl.Expr) -> pl.Expr:
    """Most TCP connections whose handshake was not done: many in a flood of SYN packets."""
    return half_open.max()


@feature(unit="connections", direction="high", source="PA-N3")
def closing_max(closing: pl.Expr) -> pl.Expr:
    """Most TCP connections in TIME-WAIT: many where connections are not used again."""
    return closing.max()


@feature(unit="connections", direction="high", source="PA-N3")
def abandoned_max(abandoned: pl.Expr) -> pl.Expr:
    """Most TCP connections in CLOSE-WAIT: many where a program forgets to close them."""
    return abandoned.max()


@feature(unit="%", direction="high", source="PA-N4")
def protocol_errors(damaged_increase: pl.Expr, handled: pl.Expr) -> pl.Expr:
    """Share of the packets that had an error; null without packets."""
    return part_of(damaged_increase, handled)


@feature(unit="%", direction="high", source="PA-N4, PA-N2")
def retransmissions(retransmitted_increase: pl.Expr, segments_increase: pl.Expr) -> pl.Expr:
    """Share of the TCP segments that were sent again; null without segments."""
    return part_of(retransmitted_increase, segments_increase)


NETWORK_1M = FeatureView(
    "system.network_1m",
    NETWORK,
    ("host", "interface"),
    timedelta(minutes=1),
    (*SHARED, *increases(COUNTERS), *collect(__name__)),
    lateness=timedelta(seconds=30),
)
