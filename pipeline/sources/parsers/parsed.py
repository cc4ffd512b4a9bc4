"""What every parser of access logs gives back, and what it adds to an event from its own text."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

import polars as pl

from features.access import ACCESS
from pipeline.sources.lines import Parsed
from pipeline.sources.source import REFUSED

__all__ = ["Parser", "present", "split", "with_parts"]

Parser: TypeAlias = Callable[[pl.Series, datetime], Parsed]
"""``parse(lines, now)``: lines as texts and when they were read give events, their ``id`` the place
of the line among those given, and what was refused. Events + refused = lines."""

SHOWN = 2_000
"""Characters of a refused line that are kept."""

ID = (
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|0x[0-9a-fA-F]+|[0-9]+"
)
LAST_NUMBER = r"([0-9]{1,15})[^0-9]*$"
# Quotes, angle and curly brackets, backslash, semicolon, bar, caret, backquote, control
# characters, plain or percent-encoded, and a step up the tree: browsers send none of them bare.
ODD = (
    r"['\"<>\\;|^`{}\x00-\x1f\x7f]|\.\.(?:/|%2[fF])"
    r"|%(?:0[0-9a-fA-F]|1[0-9a-fA-F]|2[27]|3[bBcCeE]|5[cCeE]|60|7[bBcCdDfF])"
)


def present(text: pl.Expr) -> pl.Expr:
    """A text, null where it is empty or a dash."""
    return pl.when(~text.is_in(["", "-"])).then(text)


def split(frame: pl.DataFrame, fault: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows without a fault, and the others' ``line`` with the fault as its reason."""
    judged = frame.with_columns(fault.alias("reason"))
    refused = judged.filter(pl.col("reason").is_not_null()).select(
        "reason", pl.col("line").str.slice(0, SHOWN).alias("row")
    )
    events = judged.filter(pl.col("reason").is_null()).drop("line", "reason")
    return events, refused.match_to_schema(pl.Schema(REFUSED)) if len(refused) else None


def with_parts(events: pl.DataFrame) -> pl.DataFrame:
    """Add what follows from an event's own address and path; only columns of `ACCESS` remain.

    ``subnet`` is the /24 of an IPv4 address or the /48 of an IPv6 one, ``endpoint`` the path
    without its query, numbers, UUIDs and hexadecimal ids replaced by a star, ``object`` the last
    number of path and query, ``odd`` how many characters no link holds.
    """
    route = pl.col("path").str.splitn("?", 2).struct[0]
    made = {
        "endpoint": route.str.replace_all(ID, "*"),
        "object": pl.col("path").str.extract(LAST_NUMBER).cast(pl.Float64),
        "odd": pl.col("path").str.count_matches(ODD).cast(pl.Int64),
    }
    events = events.with_columns(e.alias(n) for n, e in made.items() if n not in events.columns)
    if "subnet" not in events.columns:
        nets = events.select(pl.col("ip").unique()).with_columns(_subnet().alias("subnet"))
        events = events.join(nets, on="ip", how="left", maintain_order="left")
    return events.select(c.name for c in ACCESS.columns if c.name in events.columns)


def _subnet() -> pl.Expr:
    """The network of each address; null for what is no address."""
    ip = pl.col("ip").str.to_lowercase().str.strip_prefix("::ffff:")
    v4 = ip.str.extract(r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$") + pl.lit(".0/24")
    # The groups before a double colon are the first ones; the missing ones are zeros.
    head = ip.str.replace(r"::.*$", "").str.split(":")
    groups = [
        head.list.get(i, null_on_oob=True).str.strip_chars_start("0").replace("", "0")
        for i in range(3)
    ]
    v6 = pl.concat_str([g.fill_null("0") for g in groups], separator=":") + pl.lit("::/48")
    return pl.when(ip.str.contains(r"^[0-9a-f:]*:[0-9a-f:.]*$")).then(v6).otherwise(v4)
