"""Events of access: requests, logins, sessions, privileged commands, keys and withdrawals."""

from __future__ import annotations

import polars as pl

from features.stream import TIME, Column, Stream

__all__ = ["ACCESS", "KINDS", "OUTCOMES"]

KINDS = (
    "request",
    "login",
    "logout",
    "session",
    "sudo",
    "key_created",
    "withdrawal",
    "other",
)
"""What an event can be; ``other`` is what a log says besides."""
OUTCOMES = ("success", "failure")


def _text(name: str, doc: str) -> Column:
    return Column(name, pl.String(), doc, required=False)


ACCESS = Stream(
    "access",
    (
        Column("ts", TIME, "Time of the event."),
        Column("id", pl.Int64(), "Number of the event; its position where the log gives none."),
        Column("kind", pl.Enum(KINDS), "What happened."),
        Column("outcome", pl.Enum(OUTCOMES), "How it ended, where told.", required=False),
        _text("ip", "Address of the client."),
        _text("subnet", "Network of the client: its /24, or /48 of IPv6."),
        _text("asn", "Autonomous system of the client."),
        _text("account", "Who acts, or claims to."),
        _text("key", "API key that signed the request."),
        _text("session", "Session that the event belongs to."),
        _text("device", "Device, or fingerprint of the client's key."),
        _text("agent", "User agent."),
        _text("method", "HTTP method, or way of logging in."),
        _text("path", "Path and query of the request, or the command."),
        _text("endpoint", "Path without its query, ids replaced by a star."),
        Column("object", pl.Float64(), "Last number within the path.", required=False, at_least=0),
        Column("odd", pl.Int64(), "Characters no link holds.", required=False, at_least=0),
        _text("referrer", "Page that the request says it came from."),
        Column("status", pl.Int64(), "HTTP status.", required=False, at_least=100, at_most=599),
        Column("bytes", pl.Float64(), "Bytes sent.", "B", required=False, at_least=0),
        Column("duration", pl.Float64(), "Time to serve.", "ms", required=False, at_least=0),
        _text("country", "Country of the client."),
        Column("lat", pl.Float64(), "Latitude.", "deg", required=False, at_least=-90, at_most=90),
        Column(
            "lon", pl.Float64(), "Longitude.", "deg", required=False, at_least=-180, at_most=180
        ),
        Column("key_created_at", TIME, "When the API key was made.", required=False),
    ),
    key=("id",),
)
