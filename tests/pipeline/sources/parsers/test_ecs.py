"""JSON lines: the names of ECS, another map, and no line lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.access import ACCESS
from pipeline.sources.parsers import ECS, JsonLines

NOW = datetime(2026, 1, 31, tzinfo=UTC)
TS = "2026-01-30T12:00:00.250Z"
REQUEST = {
    "@timestamp": TS,
    "source": {
        "ip": "1.2.3.4",
        "as": {"number": 64500},
        "geo": {"location": {"lat": 46, "lon": 14.5}},
    },
    "user": {"name": "ann"},
    "http": {
        "request": {"method": "GET"},
        "response": {"status_code": 404, "body": {"bytes": 12}},
    },
    "url": {"original": "/orders/7?x=1"},
    "event": {"outcome": "unknown", "duration": 2_500_000},
    "labels": {"api_key": "k1", "api_key_created": TS},
    "other": {"left": ["behind"]},
}


def read(*rows: Any, parser: JsonLines | None = None) -> list[dict[str, Any]]:
    """The events of objects, behind the border."""
    lines = pl.Series([json.dumps(row) for row in rows])
    events, refused = (parser or JsonLines())(lines, NOW)
    assert refused is None
    validated = ACCESS.validate(events, now=NOW)
    validated.refused.raise_first()
    return validated.events.to_dicts()


def test_the_names_of_ecs_are_read() -> None:
    [event] = read(REQUEST)
    at = datetime(2026, 1, 30, 12, 0, 0, 250_000, tzinfo=UTC)
    told = {"ts": at, "ip": "1.2.3.4", "asn": "64500", "account": "ann", "kind": "request"}
    told |= {"status": 404, "bytes": 12.0, "duration": 2.5, "lat": 46.0, "lon": 14.5}
    told |= {"key": "k1", "key_created_at": at, "outcome": None, "method": "GET"}
    told |= {"endpoint": "/orders/*", "subnet": "1.2.3.0/24", "odd": 0}
    assert {name: event[name] for name in told} == told


def test_a_key_with_dots_is_as_good_as_objects_in_objects() -> None:
    [event] = read({"@timestamp": TS, "source.ip": "::1", "event.action": "key-created"})
    assert (event["ip"], event["kind"]) == ("::1", "key_created")


def test_another_map_may_name_the_fields() -> None:
    parser = JsonLines({"ts": "time", "account": "who", "duration": "ms"}, duration_ms=1.0)
    [event] = read({"time": TS, "who": "ann", "ms": "7"}, parser=parser)
    assert (event["account"], event["duration"], event["kind"]) == ("ann", 7.0, "other")


def test_a_value_that_does_not_fit_is_refused_at_the_border() -> None:
    lines = pl.Series([json.dumps(REQUEST | {"event": {"duration": d}}) for d in ("1", "soon")])
    events, _ = JsonLines()(lines, NOW)
    validated = ACCESS.validate(events, now=NOW)
    assert (len(validated.events), len(validated.refused)) == (1, 1)


@pytest.mark.parametrize("line", ["", "  ", "{", "[1]", "null", "1", '{"a":1} x'])
def test_what_is_no_such_object_is_refused_alone(line: str) -> None:
    good = json.dumps(REQUEST)
    events, refused = JsonLines()(pl.Series([good, line, good]), NOW)
    assert refused is not None
    assert events["id"].to_list() == [0, 2]
    assert refused.rows() == [("not a JSON object", line)]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"ts": "t", "colour": "c"}, "column colour"),
        ({"account": "a"}, "column ts is missing"),
    ],
)
def test_a_map_that_cannot_be_is_refused(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        JsonLines(fields)


def test_every_column_of_the_map_is_one_of_the_stream() -> None:
    assert set(ECS) < {c.name for c in ACCESS.columns}


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["@timestamp", "source", "ip", "event", "duration", "http", "user"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


@given(
    st.lists(
        st.one_of(
            st.text(max_size=20),
            VALUES.map(json.dumps),
            VALUES.map(lambda value: json.dumps(REQUEST | {"event": value})),
        ),
        max_size=12,
    )
)
@settings(max_examples=150, deadline=None)
def test_no_text_is_lost_and_none_crashes(lines: list[str]) -> None:
    events, refused = JsonLines()(pl.Series(lines, dtype=pl.String), NOW)
    assert len(events) + (0 if refused is None else len(refused)) == len(lines)
    validated = ACCESS.validate(events, now=NOW)
    assert len(validated.events) + len(validated.refused) == len(events)
