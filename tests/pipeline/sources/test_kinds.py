"""Every kind of source that a configuration names becomes sources of its stream."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, ConfigError
from pipeline.sources.kinds import Built, build

KINDS: list[tuple[dict[str, Any], list[str]]] = [
    ({"kind": "files", "name": "f", "stream": "trades", "path": "events"}, ["trades"]),
    ({"kind": "push", "name": "p", "stream": "orders"}, ["orders"]),
    ({"kind": "host", "name": "h"}, ["host", "disk", "network"]),
    (
        {
            "kind": "prometheus",
            "name": "m",
            "stream": "database",
            "url": "http://x/metrics",
            "fields": {"pool_used": "a", "query_p95": ["b", 1000]},
            "same": {"database": "orders"},
        },
        ["database"],
    ),
    (
        {
            "kind": "kafka",
            "name": "k",
            "stream": "trades",
            "topic": "t",
            "settings": {"bootstrap.servers": "x:1"},
            "partitions": [0, 1],
        },
        ["trades", "trades"],
    ),
    ({"kind": "access_log", "name": "a", "path": "access.log", "format": "combined"}, ["access"]),
    ({"kind": "access_log", "name": "a", "path": "access.log", "format": "json"}, ["access"]),
    (
        {"kind": "chain", "name": "c", "endpoints": ["http://127.0.0.1:1"]},
        ["transactions", "calls"],
    ),
]


def built(home: Path, *sources: dict[str, Any]) -> Built:
    config = Config.model_validate({"home": home, "sources": list(sources)})
    return build(config, lambda: datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(("given", "streams"), KINDS, ids=lambda v: str(v)[:20])
def test_a_kind_becomes_sources_of_its_streams(
    tmp_path: Path, given: dict[str, Any], streams: list[str]
) -> None:
    made = built(tmp_path, given)
    assert [source.stream.name for source in made.sources] == streams
    assert len({source.name for source in made.sources}) == len(streams)
    for each in (*made.sources, *made.feeds):
        each.close()  # type: ignore[union-attr]


def test_a_broker_that_is_away_stops_nobody_from_starting(tmp_path: Path) -> None:
    given = {key: value for key, value in KINDS[4][0].items() if key != "partitions"}
    made = built(tmp_path, {**given, "settings": {"bootstrap.servers": "127.0.0.1:9"}})
    assert [(source.name, source.stream.name) for source in made.sources] == [("k", "trades")]


def test_pushes_have_a_spool_by_name(tmp_path: Path) -> None:
    assert list(built(tmp_path, KINDS[1][0]).spools) == ["p"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kind": "none", "name": "f"}, r"sources\.0: Input tag 'none' found using 'kind' does"),
        (
            {"kind": "files", "name": "f", "stream": "x", "path": "p"},
            r"sources\.0\.files\.stream = 'x': expected one of trades, orders",
        ),
        ({"kind": "push", "name": "A b", "stream": "trades"}, r"name = 'A b': String should match"),
        (
            {**KINDS[3][0], "fields": {"oops": "a"}},
            "source m: oops of database is unknown; expected some of",
        ),
        ({**KINDS[3][0], "fields": {"pool_used": "{"}}, "source m: '{': expected name"),
    ],
)
def test_a_fault_names_the_source_and_what_was_expected(
    tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        built(tmp_path, given)


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="p is there 2 times; expected once"):
        built(tmp_path, KINDS[1][0], KINDS[1][0])
