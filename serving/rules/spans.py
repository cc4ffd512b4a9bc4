"""Lengths of time and hold-downs as rules write them: ``5m``, ``2 of 3``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

__all__ = ["Hold", "Span", "hold", "span"]

UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def span(text: str) -> timedelta:
    """A length of time as rules write it.

    >>> span("90s"), span("2h")
    (datetime.timedelta(seconds=90), datetime.timedelta(seconds=7200))
    """
    found = re.fullmatch(r"(\d{1,6})([smhd])", str(text))
    if not found:
        raise ValueError(f"time is {text!r}; expected a number and s, m, h or d, such as 5m")
    return timedelta(seconds=int(found[1]) * UNITS[found[2]])


def hold(text: str) -> tuple[int, int]:
    """How many of how many windows must break the limit.

    >>> hold("2 of 3"), hold("3")
    ((2, 3), (3, 3))
    """
    found = re.fullmatch(r"(\d{1,2})(?: of (\d{1,2}))?", str(text))
    some, of = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= some <= of <= 63:
        raise ValueError(f"for is {text!r}; expected windows such as 3, or 2 of 3, at most 63")
    return some, of


Span = Annotated[
    timedelta,
    BeforeValidator(lambda given: given if isinstance(given, timedelta) else span(given)),
    PlainSerializer(lambda time: f"{time.total_seconds():.0f}s", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,6}[smhd]$", "examples": ["5m"]}),
]
"""A length of time, read and written as rules do."""
Hold = Annotated[
    tuple[int, int],
    BeforeValidator(lambda given: given if isinstance(given, tuple) else hold(given)),
    PlainSerializer(lambda pair: f"{pair[0]} of {pair[1]}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+( of \d+)?$", "examples": ["2 of 3"]}),
]
"""How many of how many windows, read and written as rules do."""
