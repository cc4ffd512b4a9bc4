"""The combined log format: each variant, and no line lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.access import ACCESS
from pipeline.sources.parsers import parse_combined

NOW = datetime(2026, 1, 31, tzinfo=UTC)
START = '10.0.0.1 - - [17/May/2015:10:05:03 +0300] "GET /a HTTP/1.1" 200 17'


def one(line: str) -> dict[str, Any]:
    """The event of one line, behind the border."""
    events, refused = parse_combined(pl.Series([line]), NOW)
    assert refused is None
    validated = ACCESS.validate(events, now=NOW)
    validated.refused.raise_first()
    return validated.events.row(0, named=True)


def test_every_field_of_the_combined_format_is_read() -> None:
    event = one(START.replace("- -", "- ann") + ' "http://x/" "Mozilla/5.0 (X11)"')
    assert event["ts"] == datetime(2015, 5, 17, 7, 5, 3, tzinfo=UTC)
    told = {"kind": "request", "ip": "10.0.0.1", "account": "ann", "method": "GET", "path": "/a"}
    told |= {"status": 200, "bytes": 17.0, "referrer": "http://x/", "agent": "Mozilla/5.0 (X11)"}
    assert {name: event[name] for name in told} == told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (START, {"agent": None, "referrer": None, "account": None}),
        (f'{START} "-" "-"', {"agent": None, "referrer": None}),
        (f'{START} "-" "m" 0.004 "upstream"', {"agent": "m"}),
        (f'"{START} "-" "m""', {"agent": "m", "ip": "10.0.0.1"}),
        (rf'{START} "-" "say \"hi\" \\"', {"agent": r"say \"hi\" \\"}),
        (START.replace("10.0.0.1", "2001:db8::1"), {"ip": "2001:db8::1"}),
        (START.replace("200 17", "- -"), {"status": None, "bytes": None}),
        (START.replace("GET /a HTTP/1.1", "-"), {"method": None, "path": None, "kind": "request"}),
        (START.replace("GET /a HTTP/1.1", ""), {"method": None, "path": None}),
        (START.replace("GET /a HTTP/1.1", "GET /a"), {"method": "GET", "path": "/a"}),
        (START.replace("/a HTTP", "/a b HTTP"), {"method": "GET", "path": "/a b"}),
        (START.replace("GET /a HTTP/1.1", r"\x16\x03"), {"method": None, "path": r"\x16\x03"}),
        (START.replace("- -", '- "ann lee"'), {"account": "ann lee"}),
        (START.replace("GET /a", r"GET /\"a\""), {"path": r"/\"a\""}),
    ],
)
def test_variants_are_read(line: str, told: dict[str, Any]) -> None:
    event = one(line)
    assert {name: event[name] for name in told} == told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "combined log format"),
        ("\x16\x03\x01\x00", "combined log format"),
        (START[:30], "combined log format"),
        (START.replace("17/May", "32/May"), "no time"),
        (START.replace("17/May/2015:10:05:03 +0300", "yesterday"), "no time"),
    ],
)
def test_what_is_no_line_is_refused_with_its_reason(line: str, reason: str) -> None:
    events, refused = parse_combined(pl.Series([START, line]), NOW)
    assert refused is not None
    assert events["id"].to_list() == [0]
    assert refused["row"].to_list() == [line]
    assert reason in refused["reason"][0]


PIECES = st.sampled_from(
    [
        START,
        '"',
        "\\",
        " ",
        "[",
        "]",
        "-",
        "1.2.3.4",
        " - - ",
        "[17/May/2015:10:05:03 +0000]",
        '"GET / HTTP/1.1"',
        " 200 ",
        "99999999999999999999",
        "\x00",
        "é",
        "%",
        "?",
        "::",
    ]
)


@given(st.lists(st.one_of(st.text(max_size=30), st.lists(PIECES).map("".join)), max_size=20))
@settings(max_examples=200, deadline=None)
def test_no_text_is_lost_and_none_crashes(lines: list[str]) -> None:
    events, refused = parse_combined(pl.Series(lines, dtype=pl.String), NOW)
    assert len(events) + (0 if refused is None else len(refused)) == len(lines)
    validated = ACCESS.validate(events, now=NOW)
    assert len(validated.events) + len(validated.refused) == len(events)
