"""The combined and the common log format of Apache and nginx."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from pipeline.sources.lines import Parsed
from pipeline.sources.parsers.parsed import present, split, with_parts

__all__ = ["parse_combined"]

TEXT = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
# Written so that at each character there is one way to go on: such a pattern runs several times
# as fast. A whole line within quotes, as some exporters write it, and fields behind the last pass.
LINE = (
    r'^"?(?P<ip>[^ "]+) (?P<ident>[^ ]+) (?P<account>[^\[]*)\[(?P<time>[^\]]*)\] '
    + TEXT.replace("(", "(?P<request>", 1)
    + r" (?P<status>[0-9]{3}|-) (?P<bytes>[0-9]+|-)"
    + f"(?: {TEXT.replace('(', '(?P<referrer>', 1)} {TEXT.replace('(', '(?P<agent>', 1)})?"
)
VERSION = r" HTTP/[0-9.]+$"
METHOD = r"^[A-Za-z_-]+$"
TIME = "%d/%b/%Y:%H:%M:%S %z"


def parse_combined(lines: pl.Series, now: datetime) -> Parsed:
    """Requests from lines of the combined or the common log format, in any mixture.

    What is no HTTP request, such as the bytes of a TLS handshake, has the whole text as its path
    and no method. ``now`` is not used: the lines tell their year and zone.

    Source: Apache HTTP Server, mod_log_config; nginx, ngx_http_log_module.
    """
    frame = pl.DataFrame({"line": lines}).with_columns(
        pl.col("line").str.extract_groups(LINE).alias("parts")
    )
    frame = frame.unnest("parts").with_row_index("id")
    frame = frame.with_columns(
        pl.col("time").str.to_datetime(TIME, time_unit="us", strict=False).alias("ts")
    )
    fault = (
        pl.when(pl.col("time").is_null())
        .then(pl.lit("not a line of the combined log format"))
        .when(pl.col("ts").is_null())
        .then(pl.lit("no time such as 17/May/2015:10:05:03 +0000"))
    )
    events, refused = split(frame, fault)
    words = pl.col("request").str.replace(VERSION, "").str.splitn(" ", 2)
    method, path = words.struct[0], words.struct[1]
    is_http = path.is_not_null() & method.str.contains(METHOD)
    return (
        with_parts(
            events.with_columns(
                pl.col("id").cast(pl.Int64),
                pl.lit("request").alias("kind"),
                present(pl.col("ip")),
                present(pl.col("account").str.strip_chars('" ')),
                pl.when(is_http).then(method).alias("method"),
                present(pl.when(is_http).then(path).otherwise(pl.col("request"))).alias("path"),
                present(pl.col("referrer")),
                present(pl.col("agent")),
                present(pl.col("status")).cast(pl.Int64),
                present(pl.col("bytes")).cast(pl.Float64),
            )
        ),
        refused,
    )
